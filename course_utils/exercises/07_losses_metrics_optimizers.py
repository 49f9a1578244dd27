"""Questions on lecture 07: losses, metrics, optimizers."""

import keras
import numpy as np
from keras import layers, ops

from course_utils.exercises import Case, question


def _is(number, value):
    """Whether an answer is this number, to three figures."""
    return isinstance(number, (int, float, np.number)) and np.isclose(number, value, atol=2e-3)


@question(
    "Hits TP: marked and on the cell. False alarms FP: marked, but not on the cell. Misses FN: on the cell, "
    "but not marked. Which numbers are given, and which follow?",
    "TP = 6, FP = 2, FN = 4; the other 188 pixels are right. For a network that marks nothing, the "
    "background is a class too: what are its hits and its false alarms?",
    done="Right. 97 % of the pixels are right, and half of the union; and marking nothing has a mean IoU of "
    "nearly one half.",
)
def q1(answer):
    f1, iou, accuracy, nothing = answer
    yield Case(
        "`f1`", lambda: f1, 2 / 3,
        "That is the precision, 6/8." if _is(f1, 0.75) else "That is the recall, 6/10." if _is(f1, 0.6)
        else "F1 = 2 TP / (2 TP + FP + FN), with TP = 6.", tolerance=2e-3,
    )  # fmt: skip
    yield Case(
        "`iou`", lambda: iou, 0.5,
        "The union is all that is on the cell or marked: 6 + 2 + 4 pixels (the 6 counted once).",
        tolerance=2e-3,
    )
    yield Case(
        "`accuracy`", lambda: accuracy, 0.97,
        "Wrong are the false alarms and the misses; all others, hits or background, are right.",
        tolerance=2e-3,
    )
    yield Case(
        "`mean_iou_of_nothing`", lambda: nothing, 0.475,
        "That is the background's IoU alone; the mean is over both classes." if _is(nothing, 0.95)
        else "The cell's IoU is 0, but the background's is not: 190 hits, and 10 false alarms.",
        tolerance=2e-3,
    )  # fmt: skip


@question(
    "Begin with `counted = truth != void`, and keep only those pixels of both arrays.",
    "For each class k: intersection (truth == k) & (said == k), union (truth == k) | (said == k). Where the "
    "union is empty, np.nan.",
    done="Right. Seven pairs, with void pixels, an absent class, and a whole batch.",
)
def q2(iou_per_class):
    def ask(truth, said, *arguments):
        with np.errstate(all="ignore"):
            return iou_per_class(np.array(truth), np.array(said), *arguments)

    nan = np.nan
    for truth, said, classes, expected, remark in (
        ([0, 0, 1, 1], [0, 0, 1, 1], 2, [1, 1], "A perfect prediction has an IoU of 1."),
        (
            [0, 0, 1, 1], [0, 1, 1, 1], 2, [1 / 2, 2 / 3],
            "A pixel that is in both counts once in the union (it is not F1).",
        ),
        ([0, 0, 0, 0], [0, 0, 0, 1], 2, [3 / 4, 0], "A class that is predicted, but not there, scores 0."),
        (
            [0, 0, 2, 2], [0, 0, 2, 0], 3, [2 / 3, nan, 1 / 2],
            "Class 1 is in neither: 0 / 0 is no score, and here it shall be NaN.",
        ),
        (
            [0, 1, 255, 255], [0, 1, 1, 0], 2, [1, 1],
            "What the prediction says on void pixels is not counted: not in the union either.",
        ),
    ):
        yield Case(
            f"truth {truth}, prediction {said}, {classes} classes",
            lambda t=truth, s=said, k=classes: ask(t, s, k), expected, remark,
        )
    yield Case(
        "truth [0, 1, 9], prediction [0, 1, 1], void = 9", lambda: ask([0, 1, 9], [0, 1, 1], 2, 9), [1, 1],
        "The id of void is an argument.",
    )
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 4, (2, 3, 8, 8))
    both = [np.sum((truth == k) & (said == k)) / np.sum((truth == k) | (said == k)) for k in range(4)]
    yield Case(
        "three random masks of 8×8, four classes", lambda: ask(truth, said, 4), both,
        "All pixels of the batch are counted together.",
    )


@question(
    "TP = Σ y p, FP = Σ (1 − y) p, FN = Σ y (1 − p), each with `ops.sum` over everything.",
    "`smooth` is added above and below. Integers in y: `ops.cast(y, p.dtype)`. Everything must go "
    "through `keras.ops`: NumPy in between stops the gradient.",
    done="Right. Six cases, one of integers, and a step of training that raised the missed pixel and lowered "
    "the other.",
)
def q3(tversky_loss):
    def ask(y, p, *arguments, kind="float32"):
        y = np.array(y, kind).reshape(-1, 1, len(y[0]))
        p = np.array(p, "float32").reshape(y.shape)
        result = tversky_loss(ops.convert_to_tensor(y), ops.convert_to_tensor(p), *arguments)
        return ops.convert_to_numpy(result)

    four = [[1, 1, 0, 0]], [[0.75, 0.25, 0.25, 0.25]]
    yield Case(
        "the lecture's four pixels, α = β = ½, smooth = 0", lambda: ask(*four, 0.5, 0.5, 0.0),
        "a single number without axes", "One number for the whole batch: sum over all axes.",
        right=lambda result: np.shape(result) == (),
    )
    for name, (y, p), settings, expected, remark in (
        (
            "the lecture's four pixels, α = β = ½, smooth = 0", four, (0.5, 0.5, 0.0), 3 / 7,
            "TP = 1, FP = ½, FN = 1; the index is 4/7. The loss is 1 minus that.",
        ),
        (
            "the same, α = 0.3, β = 0.7", four, (0.3, 0.7, 0.0), 1 - 1 / 1.85,
            "α goes with the false alarms, (1 − y) p; β with the misses, y (1 − p).",
        ),
        (
            "the same, α = β = ½, smooth = 1", four, (0.5, 0.5, 1.0), 1 - 2 / 2.75,
            "`smooth` is added once above and once below.",
        ),
        (
            "y = [0, 0], p = [0, 0], smooth = 1", ([[0, 0]], [[0, 0]]), (0.5, 0.5, 1.0), 0.0,
            "Nothing there, nothing said: the index is smooth / smooth.",
        ),
        (
            "two pictures, y = [1, 0] and [0, 0], p = [½, ½] and [½, ½], smooth = 0",
            ([[1, 0], [0, 0]], [[0.5, 0.5], [0.5, 0.5]]), (0.5, 0.5, 0.0), 1 - 0.5 / 1.5,
            "Add the counts of both pictures first; the mean of two losses is another number.",
        ),
    ):
        yield Case(name, lambda y=y, p=p, s=settings: ask(y, p, *s), expected, remark)
    yield Case(
        "the lecture's four pixels with y as integers (int32), α = 0.3, β = 0.7",
        lambda: ask(*four, 0.3, 0.7, 0.0, kind="int32"), 1 - 1 / 1.85,
        "Masks are integers. Cast them: `ops.cast(y, p.dtype)`.",
    )
    yield Case(
        "a step of training from p = ½ on y = [1, 0], the direction in which each p moves",
        lambda: np.sign(_one_step(tversky_loss)), [1, -1],
        "The gradient must reach p: no `convert_to_numpy`, no rounding, no comparison on the way.",
    )


def _one_step(loss):
    """How the probabilities of two pixels, a half each, move in a step of training on y = [1, 0]."""
    dense = layers.Dense(2, "sigmoid", use_bias=False, kernel_initializer="zeros", dtype="float32")
    model = keras.Sequential([keras.Input((1,)), dense, layers.Reshape((1, 2), dtype="float32")])
    model.compile(
        keras.optimizers.SGD(1.0), lambda y, p: loss(y, p, 0.3, 0.7, 1.0), auto_scale_loss=False
    )
    x, y = np.ones((1, 1), "float32"), np.array([[[1.0, 0.0]]], "float32")
    model.train_on_batch(x, y)
    return model.predict(x, verbose=0)[0, 0] - 0.5


@question(
    "Go from the end: o − t, then by v: (o − t) h. Then δ = (o − t) v ⊙ (slope of the activation at a), and "
    "by W the outer product of δ and x.",
    "The slope of the activation is 1 where a > 0, else `slope`: np.where(a > 0, 1, slope).",
    done="Right. Four networks; the gradients agree with tiny steps in every weight.",
)
def q4(gradients):
    W, v = np.array([[1.0, 1], [-1, 1], [1, -1]]), np.array([1.0, 2, 5])
    x = np.array([1.0, 2])
    rng = np.random.default_rng(0)
    lecture = "the lecture's numbers"
    for name, case in (
        (f"{lecture}, slope 0", (x, 3.0, W, v, 0.0)),
        (f"{lecture}, slope 0.1", (x, 3.0, W, v, 0.1)),
        (f"{lecture}, t = 10 and slope 0.1", (x, 10.0, W, v, 0.1)),
        (
            "a random network of 4 inputs and 5 units",
            (rng.normal(size=4), 1.0, rng.normal(size=(5, 4)), rng.normal(size=5), 0.3),
        ),
    ):
        by_steps = _by_tiny_steps(*case)
        yield Case(
            f"{name}: what comes back", lambda c=case: gradients(*c), "two arrays, by W (m, n) and by v (m,)",
            "First the gradient by W, then the one by v.",
            right=lambda answer: [np.ndim(part) for part in answer] == [2, 1],
        )
        yield Case(
            f"{name}: by v", lambda c=case: gradients(*c)[1], by_steps[1],
            "(o − t) h: with the h after the activation, and the sign of o − t.", tolerance=1e-3,
        )
        yield Case(
            f"{name}: by W", lambda c=case: gradients(*c)[0], by_steps[0],
            "Rows are units, columns inputs, (m, n). A row whose a is negative gets `slope` times the "
            "rest (0 with slope 0). And is v in it?", tolerance=1e-3,
        )


def _by_tiny_steps(x, t, W, v, slope):
    """The gradients by W and by v, from differences of the loss."""

    def loss(W, v):
        a = W @ x
        return 0.5 * (v @ np.where(a > 0, a, slope * a) - t) ** 2

    def slopes(value, function):
        result = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[place] = 1e-5
            result[place] = (function(value + step) - function(value - step)) / 2e-5
        return result

    return slopes(W, lambda changed: loss(changed, v)), slopes(v, lambda changed: loss(W, changed))


@question(
    "The loop of the lecture's Adam, t from 1, and one more term: rate · decay · place.",
    "place = place − rate · decay · place − rate · √(1 − 0.999ᵗ) / (1 − 0.9ᵗ) · m / (√s + 1e-7). The decay "
    "does not enter g, m or s.",
    done="Right, without decay, with decay alone, and for a hundred steps as Keras's AdamW.",
)
def q5(adamw):
    def ask(gradient, start, *settings):
        with np.errstate(all="ignore"):
            return adamw(gradient, np.array(start, float), *settings)

    def ravine(place):
        return np.array([1.0, 50.0]) * place

    yield Case(
        "gradient (100, 0.01) everywhere, from (0, 0), rate 0.1, no decay, 1 step",
        lambda: ask(lambda place: np.array([100.0, 0.01]), [0, 0], 0.1, 0.0, 1), [-0.1, -0.1],
        "The first step is as long as the rate in both coordinates; the corrections see to that (t = 1).",
        tolerance=1e-3,
    )
    yield Case(
        "gradient 1 everywhere, from (10,), rate 0.1, decay ½, 1 step",
        lambda: ask(lambda place: np.ones(1), [10], 0.1, 0.5, 1), [10 - 0.5 - 0.1],
        "9.9: the decay was added to the gradient, where the division by √s undoes it. 9.405: it was taken "
        "off after Adam's step instead of before. 4.9: it was not multiplied by the rate.",
        tolerance=1e-4,
    )
    yield Case(
        "gradient 0 everywhere, from (1, -2), rate 0.1, decay ½, 2 steps",
        lambda: ask(lambda place: 0 * place, [1, -2], 0.1, 0.5, 2), [0.95**2, -2 * 0.95**2],
        "Each step takes rate · decay off: 5 %. Without a gradient Adam's own step is 0.",
    )
    yield Case(
        "gradient θ − 1, from (1.5,), rate 0.1, decay 5, 1 step",
        lambda: ask(lambda place: place - 1, [1.5], 0.1, 5.0, 1), [1.5 - 0.75 - 0.1],
        "The gradient is the one at the place before the step, before the decay too: 0.5.", tolerance=1e-3,
    )
    yield Case(
        "the ravine (gradient θ₁, 50 θ₂), from (-4, 1), rate 0.02, decay 0.1, 100 steps",
        lambda: ask(ravine, [-4, 1], 0.02, 0.1, 100), _keras_adamw(ravine, [-4, 1], 0.02, 0.1, 100),
        "The corrections 1 − 0.9ᵗ and 1 − 0.999ᵗ change with every step.", tolerance=1e-3,
    )


def _keras_adamw(gradient, start, rate, decay, steps):
    """Where Keras's AdamW ends."""
    place = keras.Variable(np.array(start, "float32"), dtype="float32")
    optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    for _ in range(steps):
        g = np.float32(gradient(ops.convert_to_numpy(place)))
        optimizer.apply([ops.convert_to_tensor(g)], [place])
    return ops.convert_to_numpy(place)


def _f1_of_cuts():
    """The cuts of the sheet and, on its validation pixels, the F1 of both networks at each."""
    rng = np.random.default_rng(10)
    logits = rng.normal(-4.5, 2.0, 40_000)
    p = 1 / (1 + np.exp(-logits))
    truth = (rng.random(40_000) < p)[:20_000]
    cuts = np.linspace(0.01, 0.99, 99)

    def f1(said):
        return 2 * np.sum(truth & said) / max(1, truth.sum() + said.sum())

    sure = 1 / (1 + np.exp(-2 * logits))
    return cuts, *(np.array([f1(q[:20_000] > cut) for cut in cuts]) for q in (p, sure))


@question(
    "For each cut: said = p[val] > cut, then F1 = 2 TP / (TP + FN + TP + FP) from the counts on validation "
    "only. The best cut is cuts[np.argmax(…)].",
    "To think about for the report: half of the best F1; what IoU = F / (2 − F) does to the order of cuts; "
    "which pixels come first when logits are doubled.",
    done="""Your numbers hold and your report is there. Now hold the report against this rubric, a point each:
  1. It begins with a prediction, and names the best cut, its F1, and the F1 at one half beside it.
  2. It compares the cut with half of the best F1, and says for which probabilities this must hold.
  3. It says that IoU has the same best cut, and why (it rises with F1).
  4. It says that doubled logits move the cut and keep the best F1, and why (the order stays).
  5. The cut was chosen on validation, test is quoted once, and a limit is named: the top is flat.""",
)
def q6(answer):
    best_cut, f1, sure_cut, report = answer
    cuts, honest, sure = _f1_of_cuts()

    def at(cut, scores):
        return scores[np.argmin(abs(cuts - float(cut)))]

    for name, cut, scores, remark in (
        (
            "best_cut", best_cut, honest,
            "Is F1 computed on validation, with p > cut? The accuracy would want a cut of one half.",
        ),
        (
            "sure_cut", sure_cut, sure,
            "This is for p_sure. Doubled logits move every p, and keep the order of the pixels.",
        ),
    ):
        yield Case(
            f"`{name}`", lambda cut=cut: cut, "a number from 0.01 to 0.99",
            right=lambda c: isinstance(c, (float, np.floating)) and 0.009 < c < 0.991,
        )
        yield Case(
            f"{name} = {float(cut):.2f}, the F1 that it gives on validation",
            lambda cut=cut, scores=scores: at(cut, scores),
            "the highest, or within 1 % of it", remark,
            right=lambda value, scores=scores: value >= 0.99 * scores.max(),
        )
    yield Case(
        "`f1`, on validation at best_cut", lambda: f1, at(best_cut, honest),
        "From the counts of all validation pixels. (Is this the test score?)", tolerance=2e-3, hidden=True,
    )
    yield Case(
        "the report", lambda: report, "three sentences or more, 30 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 30,
    )
