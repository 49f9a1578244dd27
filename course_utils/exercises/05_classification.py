"""Questions on lecture 05: classification."""

from functools import cache

import keras
import numpy as np
from keras import layers
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from course_utils import data
from course_utils.exercises import Case, in_float32, question


@question(
    "The log-loss is the mean of −log p, with the natural logarithm, p being the probability of the right "
    "answer. With two classes an answer is right where p is above one half.",
    "Five times pooling by two turns 64 into 2, so that 2·2·512 numbers reach each of the 4,096 units. "
    "Every unit has a bias too.",
    done="Right. Most of the loss is the third picture's; and a smaller picture made `fc6` smaller.",
)
def q1(answer):
    loss, accuracy, count = answer
    yield Case(
        "`loss`", lambda: loss, -np.mean(np.log([0.9, 0.6, 0.1])),
        "Is it the mean of the three, with natural logarithms and a minus?", tolerance=2e-3,
    )
    yield Case(
        "`accuracy`", lambda: accuracy, 2 / 3,
        "Two classes: which of 0.9, 0.6 and 0.1 are above one half?", tolerance=5e-3,
    )
    slips = {
        4 * 4 * 512 * 4096 + 4096: "That is 4·4·512 numbers for each unit, as after four pools. VGG-16 pools "
        "five times.",
        2 * 2 * 512 * 4096: "These are the weights. Each unit has a bias, too.",
        7 * 7 * 512 * 4096 + 4096: "That is for pictures of 224×224.",
    }
    remark = slips.get(count) if isinstance(count, (int, float)) else None
    yield Case(
        "`count`", lambda: count, 2 * 2 * 512 * 4096 + 4096,
        remark or "Did you count 2·2·512 numbers for each unit, and one bias a unit?", tolerance=1e-9,
    )


@question(
    "log p of the right class is its logit minus log Σ exp of all logits: no division is needed.",
    "exp(1000) is too large for any computer. Take the largest logit of each picture off all of its "
    "logits first: the probabilities stay the same.",
    done="Right, with logits of a thousand, too.",
)
def q2(log_loss):
    coin = np.zeros((2, 2))
    three = np.log([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]])
    for name, logits, labels, expected, remark in (
        ("logits [[0, 0], [0, 0]], labels [0, 1]", coin, [0, 1], np.log(2),
            "Equal logits: p = ½ and the price log 2 = 0.693. 1.386: a sum instead of the mean, or a "
            "softmax over all pictures? 1: log2? 0: no softmax?"),
        (
            "logits log [[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]], labels [1, 0]", three, [1, 0],
            -np.mean(np.log([0.5, 0.7])),
            "Take of each row the entry of its own label, and the mean over the pictures.",
        ),
        (
            "the same logits plus 5, labels [2, 2]", three + 5, [2, 2], -np.mean(np.log([0.3, 0.1])),
            "Logits are no probabilities yet: is there a softmax?",
        ),
        (
            "logits [[1000, 0]], label [0]", np.array([[1000.0, 0]]), [0], 0.0,
            "exp(1000) overflows. What may be taken off all logits of a picture?",
        ),
        (
            "logits [[1000, 0]], label [1]", np.array([[1000.0, 0]]), [1], 1000.0,
            "log(0) is not finite: stay with logarithms, log p = logit − log Σ exp.",
        ),
        (
            "logits [[1000, 0], [0, -1000]], labels [0, 0]", np.array([[1000.0, 0], [0, -1000]]), [0, 0], 0.0,
            "Take off each picture's own largest logit (axis=1), not the largest of all pictures.",
        ),
    ):
        yield Case(
            name,
            lambda logits=logits, labels=labels: _quietly(log_loss, logits.copy(), np.array(labels)),
            expected, remark,
        )


def _quietly(function, *arguments):
    """Call without NumPy's warnings about overflow: the case itself will tell."""
    with np.errstate(all="ignore"):
        return function(*arguments)


@question(
    "rng.random(x.shape) gives one number from 0 to 1 for each entry; it is below `rate` with probability "
    "`rate`.",
    "x · keep / (1 − rate), with keep an array of 0 and 1. Without the division the mean would fall.",
    done="Right. The mean is kept, every number has its own lot, and without a rate nothing happens.",
)
def q3(dropout):
    def drop(x, rate, seed=0):
        return np.asarray(dropout(np.array(x), rate, np.random.default_rng(seed)), float)

    ones = np.ones((200, 100))
    yield Case(
        "x = [4, 8], rate = 0", lambda: drop([4.0, 8.0], 0.0), [4.0, 8.0],
        "With rate 0 nothing is dropped, and nothing has to make up for it: a number stays with "
        "probability 1 − rate and is divided by that same share, not by rate.",
    )
    yield Case(
        "200 × 100 ones, rate = 0.25, the shape", lambda: drop(ones, 0.25).shape, (200, 100),
        "One entry comes out for each that goes in.",
    )
    yield Case(
        "200 × 100 ones, rate = 0.25, rows that are equal to the first",
        lambda: int(np.sum((drop(ones, 0.25)[1:] == drop(ones, 0.25)[0]).all(axis=1))), 0,
        "Each picture (each row) draws its own lots: one number for every entry of x.",
    )
    yield Case(
        "200 × 100 ones, rate = 0.25, the share of zeros",
        lambda: np.mean(drop(ones, 0.25) == 0), "about 0.25",
        "`rate` is the share that is dropped; here it looks like another share. Is `rate` kept instead?",
        right=lambda v: abs(v - 0.25) < 0.02,
    )
    yield Case(
        "200 × 100 ones, rate = 0.25, the zeros, whether their number is the same in five draws",
        lambda: bool(len({int(np.sum(drop(ones, 0.25, seed) == 0)) for seed in range(5)}) == 1), "False",
        "Each number is dropped with probability `rate`, whatever happens to the others; their count varies.",
        right=lambda same: same is False,
    )
    yield Case(
        "200 × 100 ones, rate = 0.25, the largest number", lambda: drop(ones, 0.25).max(), 4 / 3,
        "What is not dropped is divided by the probability to be kept, 1 − rate.",
    )
    kept = np.array([4.0, 8.0])
    yield Case(
        "x = [4, 8], rate = 0.5, `x` itself afterwards",
        lambda: (dropout(kept, 0.5, np.random.default_rng(0)), kept)[1], [4.0, 8.0],
        "Do not change the array that you are given; make a new one.",
    )
    yield Case(
        "200 × 100 ones, rate = 0.25, the mean", lambda: drop(ones, 0.25).mean(), "about 1",
        "What is not dropped has to make up for what is: divide by the share that is kept.",
        right=lambda v: abs(v - 1) < 0.03,
    )
    yield Case(
        "the same ones with another generator, whether the result is the same",
        lambda: bool((drop(ones, 0.25) == drop(ones, 0.25, seed=1)).all()), "False",
        "Draw from the generator `rng` that you are given.", right=lambda same: same is False,
    )


@in_float32()
def _block(residual_block, channels, filters):
    """The student's block as a float32 model on pictures (B, 9, 9, channels)."""
    keras.utils.set_random_seed(0)
    x = keras.Input((9, 9, channels))
    return keras.Model(x, residual_block(x, filters))


def _handing_on(residual_block):
    """The block with convolutions that change nothing, and a first normalization that takes off 10."""
    model, first = _block(residual_block, 4, 4), True
    for w in model.weights:
        value = np.zeros(w.shape, "float32")
        if w.path.endswith("kernel"):
            value[w.shape[0] // 2, w.shape[1] // 2] = np.eye(4)
        elif w.path.endswith(("gamma", "moving_variance")):
            value += 1
        elif w.path.endswith("beta") and first:
            value, first = value - 10, False
        w.assign(value)
    return model


def _reach(model, channels):
    """How many pixels of the output change with the middle pixel of the input: (height, width)."""
    x = np.random.default_rng(0).uniform(0, 1, (1, 9, 9, channels)).astype("float32")
    x = np.repeat(x, 8, axis=0)
    for k in range(1, 8):
        x[k, 4, 4] += 3 * k
    y = model.predict(x, verbose=0)
    changed = (abs(y - y[:1]) > 1e-6).any(axis=(0, 3))
    return changed.any(axis=1).sum(), changed.any(axis=0).sum()


@question(
    "y = relu(f(x) + x), with f: convolution, normalization, relu, convolution, normalization. "
    "layers.Add()([f, x]) adds.",
    "Where x has another number of channels than `filters`, x cannot be added as it is: send it through a "
    "1×1 convolution with `filters` filters first. x.shape[-1] tells.",
    done="Right. With all weights at 0 the block is the ReLU of its input: it begins as nothing, and learns "
    "a change.",
)
def q4(residual_block):
    x = np.random.default_rng(0).uniform(-2, 2, (2, 9, 9, 4)).astype("float32")

    def silenced(shift=0.0):
        """The block with all weights 0, but for the shift (beta) of the last normalization."""
        model = _block(residual_block, 4, 4)
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])
        if shift:
            [w for w in model.weights if w.path.endswith("beta")][-1].assign(np.full(4, shift, "float32"))
        return model.predict(x, verbose=0)

    yield Case(
        "4 channels in and filters = 4, the output shape for 2 pictures of 9×9",
        lambda: _block(residual_block, 4, 4).predict(x, verbose=0).shape, (2, 9, 9, 4),
        'A block keeps height and width: padding="same".',
    )
    yield Case(
        "filters = 4, all weights 0, the largest difference to relu(x)",
        lambda: abs(silenced() - np.maximum(x, 0)).max(), "0",
        "Is x added, before the last relu and not behind it? And is there a convolution on the way of x, "
        "where none is needed?", right=lambda d: d < 1e-6,
    )
    yield Case(
        "filters = 4, the pixels that the middle pixel reaches",
        lambda: _reach(_block(residual_block, 4, 4), 4), (5, 5),
        "Two convolutions of 3×3 reach two pixels each way.",
    )
    yield Case(
        "filters = 4, the smallest output", lambda: _block(residual_block, 4, 4).predict(x, verbose=0).min(),
        "0 or more", "The last relu comes after the addition.", right=lambda v: v >= 0,
    )
    yield Case(
        "filters = 4, the number of batch normalizations",
        lambda: sum(w.path.endswith("moving_mean") for w in _block(residual_block, 4, 4).variables), 2,
        "One after each of the two convolutions.",
    )
    yield Case(
        "filters = 4, all weights 0 but the last normalization's beta, −1: the largest difference to "
        "relu(x − 1)",
        lambda: abs(silenced(-1.0) - np.maximum(x - 1, 0)).max(), "0",
        "The change may be negative: no relu between the last normalization and the addition.",
        right=lambda d: d < 1e-6,
    )
    yield Case(
        "filters = 4, convolutions that hand on their input and −10 between them: the largest difference "
        "to relu(x)", lambda: abs(_handing_on(residual_block).predict(x, verbose=0) - np.maximum(x, 0)).max(),
        "0", "Is there a relu between the first normalization and the second convolution?",
        right=lambda d: d < 1e-6,
    )
    yield Case(
        "4 channels in and filters = 6, the output shape for 2 pictures of 9×9",
        lambda: _block(residual_block, 4, 6).predict(x, verbose=0).shape, (2, 9, 9, 6),
        "4 channels cannot be added to 6: x needs a 1×1 convolution there.",
    )
    yield Case(
        "4 channels in and filters = 6, whether there is a 1×1 kernel from 4 to 6 channels",
        lambda: any(w.shape == (1, 1, 4, 6) for w in _block(residual_block, 4, 6).weights), "True",
        "The convolution on the way of x is 1×1, as it only has to change the channels.",
        right=lambda found: found is True,
    )


@in_float32()
def _body():
    """A fixed small network with a layer "middle", for the question on heads."""
    keras.utils.set_random_seed(3)
    x = pictures = keras.Input((12, 12, 3))
    x = layers.Conv2D(5, 3, activation="relu", name="first")(x)
    x = layers.Conv2D(7, 3, activation="relu", name="middle")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pictures, layers.Dense(18, name="logits")(x))


@question(
    "model.get_layer(layer_name).output is the tensor to read; a new keras.Model from model.input may go on "
    "from there: mean over space, Dense.",
    "A layer with trainable = False does not learn. Freeze those of `model`, then add the new head.",
    done="Right. The head is new and learns; the body is the old one and stands still.",
)
def q5(replace_head):
    x = np.random.default_rng(0).uniform(0, 1, (6, 12, 12, 3)).astype("float32")
    labels = np.array([0, 1, 2, 0, 1, 2])

    def made(layer="middle"):
        body = _body()
        return body, replace_head(body, layer, 3)

    def affine(layer, channels):
        """Whether the logits are a linear function of the means of the layer's maps."""
        body, model = made(layer)
        means = keras.Model(body.input, body.get_layer(layer).output).predict(x, verbose=0).mean((1, 2))
        logits = model.predict(x, verbose=0)
        kernel, bias = model.layers[-1].get_weights()
        return abs(means @ kernel + bias - logits).max() if kernel.shape == (channels, 3) else np.inf

    def moved():
        """How far training moves the first convolution, and the last layer: two numbers."""
        _, model = made()

        def watched():
            first = next(w for w in model.weights if tuple(w.shape) == (3, 3, 3, 5))
            return keras.ops.convert_to_numpy(first).copy(), model.layers[-1].get_weights()[0].copy()

        before = watched()
        model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(x, labels, epochs=2, verbose=0)
        return [float(abs(a - b).max()) for a, b in zip(watched(), before, strict=True)]

    yield Case(
        'layer "middle" and 3 classes, the output shape for 6 pictures',
        lambda: made()[1].predict(x, verbose=0).shape, (6, 3), "One logit a class.",
    )
    for layer, channels in (("middle", 7), ("first", 5)):
        yield Case(
            f'layer "{layer}" and 3 classes, the difference of the logits to the means of "{layer}" times '
            "the new weights",
            lambda layer=layer, channels=channels: affine(layer, channels), "0",
            "Read `layer_name`, average its maps over space, and let a Dense without activation follow. "
            f"({channels} maps, 3 classes: its weights are ({channels}, 3).)", right=lambda d: d < 1e-4,
        )
    yield Case(
        "two epochs of training, how far the first convolution moved", lambda: moved()[0], "0",
        "Frozen means trainable = False, before the model is compiled.", right=lambda d: d == 0,
    )
    yield Case(
        "two epochs of training, how far the new layer moved", lambda: moved()[1], "more than 0",
        "The new head must learn. Did you freeze it too?", right=lambda d: d > 0,
    )


# --- the open question ----------------------------------------------------------------------------

CELLS = (4, 6, 8, 12, 16, 24, 48)


def _windows(split):
    """The lecture's windows of dogs and aeroplanes."""
    scenes, _ = data.dogs_and_aeroplanes(split, size=96)
    return data.cut_out(scenes, ("aeroplane", "dog"))


def _histograms(pictures, cell, bins=8):
    down, across = np.gradient(pictures.mean(axis=-1), axis=(1, 2))
    which = np.minimum((np.arctan2(down, across) % np.pi / np.pi * bins).astype(int), bins - 1)
    strength = np.hypot(down, across)[..., None] * (which[..., None] == np.arange(bins))
    n, h, w, _ = strength.shape
    features = strength.reshape(n, h // cell, cell, w // cell, cell, bins).sum(axis=(2, 4)).reshape(n, -1)
    return features / (np.linalg.norm(features, axis=1, keepdims=True) + 1e-9)


@cache
def _accuracies():
    """Accuracy for each of `CELLS` by five-fold cross-validation on training windows, and on validation."""
    (x, y), (x_val, y_val) = _windows("train"), _windows("val")
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    inside, outside = {}, {}
    for cell in CELLS:
        model = LogisticRegression(max_iter=2000)
        inside[cell] = cross_val_score(model, _histograms(x, cell), y, cv=folds).mean()
        outside[cell] = model.fit(_histograms(x, cell), y).score(_histograms(x_val, cell), y_val)
    return inside, outside


@question(
    "For each cell size: features = histograms_of_gradients(x_train, cell), then cross_val_score(model, "
    "features, y_train, cv=folds).mean(). No validation window is touched.",
    "best_cell is where that mean is highest. Then fit once on all training windows with that cell, and "
    "score once on validation. In the report say what small cells lose and what large ones lose.",
    done="""Your numbers hold and your report is there. Now hold the report against this rubric, a point each:
  1. It names the cell size, its accuracy in cross-validation, and that of at least one other size.
  2. It says what large cells lose (where an edge is) and what small ones lose (the same edge, moved by a
     few pixels, falls into another cell; and there are more numbers than windows).
  3. The size was chosen on training windows alone; the validation accuracy is quoted once.
  4. It says how certain the choice is: the sizes beside it differ by a few windows only. (The lecture's
     16 is worse in cross-validation, and ties with 6 on the 63 validation windows.)
  5. It names a limit: other windows, more windows, or features with more than one cell size.""",
)
def q6(answer):
    best_cell, accuracy, report = answer
    yield Case(
        "`best_cell`", lambda: best_cell, f"one of {', '.join(map(str, CELLS))}", right=lambda c: c in CELLS,
    )
    inside, outside = _accuracies()
    yield Case(
        f"best_cell = {best_cell}, its accuracy in cross-validation on training windows",
        lambda: inside[best_cell], f"within 0.02 of the highest, {max(inside.values()):.3f}",
        "Is it cross-validated on training windows, with the classifier and the folds that are given?",
        right=lambda a: a >= max(inside.values()) - 0.02,
    )
    yield Case(
        "`accuracy`, on validation with best_cell, fitted on all training windows",
        lambda: accuracy, f"{outside[best_cell]:.3f}",
        "Fit on x_train as it is (no mirrors), score on x_val. (Is this the cross-validated accuracy?)",
        right=lambda a: abs(a - outside[best_cell]) < 0.02, hidden=True,
    )
    yield Case(
        "the report", lambda: report, "three sentences or more, 30 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 30,
    )
