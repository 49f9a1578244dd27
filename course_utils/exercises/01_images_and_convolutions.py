"""Questions on lecture 01: images and convolutions."""

import keras
import numpy as np
from scipy.signal import correlate2d
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from course_utils.exercises import Case, question
from course_utils.receptive_field import effective_receptive_field, receptive_field


@question(
    "Which colour did the pixel itself see? That number is measured; only the other two are guessed.",
    "Row 1, column 2 is green: its red neighbours stand above and below, its blue ones on both sides. "
    "Row 2, column 2 is red: green on four sides, blue in four corners.",
    done="Right. Of six numbers only two were measured.",
)
def q1(answer):
    first, second = answer
    for name, given, (red, green, blue), own in (
        ("`pixel_1_2`", first, (70.0, 30.0, 60.0), "green"),
        ("`pixel_2_2`", second, (80.0, 32.5, 50.0), "red"),
    ):
        yield Case(
            name, lambda given=given: given, "three numbers", right=lambda value: np.shape(value) == (3,)
        )
        channels = ("red", "green", "blue")
        for c, expected in sorted(enumerate((red, green, blue)), key=lambda e: channels[e[0]] != own):
            remark = (
                "This pixel saw that colour itself: nothing is to be guessed."
                if channels[c] == own
                else "Take the mean of the nearest buckets of that colour: two or four of them, all alike."
            )
            yield Case(
                f"the {channels[c]} of {name}", lambda given=given, c=c: float(given[c]), expected, remark
            )


def _convolved(picture, bank, stride):
    maps = [
        sum(correlate2d(picture[..., c], bank[:, :, c, k], mode="valid") for c in range(bank.shape[2]))
        for k in range(bank.shape[3])
    ]
    return np.stack(maps, axis=-1)[::stride, ::stride]


@question(
    "How many windows of h fit into H when each starts `stride` after the one before? The first starts at "
    "0, the last must end inside: (H - h) // stride + 1.",
    "At row i, column j take picture[i * stride : i * stride + h, j * stride : j * stride + h], multiply by "
    "one kernel bank[..., k], and sum over everything: rows, columns and channels.",
    done="Right. Seven cases, with several channels, several kernels, strides of 1 to 3, and a picture that "
    "is not square.",
)
def q2(conv2d):
    rng = np.random.default_rng(0)
    ones = np.ones((2, 2, 1, 1))
    small = np.arange(9.0).reshape(3, 3, 1)
    uneven = np.array([[0.0, 1], [2, 3]]).reshape(2, 2, 1, 1)
    whole = rng.integers(-3, 4, size=(7, 6, 3)).astype(float)
    for given, picture, bank, stride, remark in (
        ("the picture 0 … 8 as 3×3, one 2×2 kernel of ones, stride 1", small, ones, 1,
         "Each number is the sum of four neighbours, and the result has the axes rows, columns, kernels."),
        ("the same picture with the kernel [[0, 1], [2, 3]]", small, uneven, 1,
         "A Conv2D does not turn its kernel."),
        ("a 5×5 picture 0 … 24, the same kernel, stride 2", np.arange(25.0).reshape(5, 5, 1), uneven, 2,
         "Every second window only; one that is incomplete is left out: (5 - 2) // 2 + 1 = 2 rows."),
        ("the same with stride 3", np.arange(25.0).reshape(5, 5, 1), uneven, 3,
         "The last window starts at 3 and just fits: it counts. (H - h) // stride + 1 = 3 // 3 + 1 = 2 rows, "
         "where (H - h + 1) // stride or H // stride would lose it."),
        ("one 1×1 kernel (1, 10) over a picture of two channels, 2×2",
         np.arange(8.0).reshape(2, 2, 2), np.array([1.0, 10]).reshape(1, 1, 2, 1), 1,
         "A kernel has a weight for each channel; their products are added."),
        ("7×6 pixels, 3 channels, 4 kernels of 3×3, stride 1", whole, rng.integers(-2, 3, size=(3, 3, 3, 4)),
         1, "Each kernel gives a map of its own; height and width may differ."),
        ("those 7×6 pixels and 4 kernels with stride 3", whole, rng.integers(-2, 3, size=(3, 3, 3, 4)), 3,
         "The second window begins at `stride`; there are (H - h) // stride + 1."),
    ):  # fmt: skip
        expected = _convolved(picture, bank, stride)
        call = lambda p=picture, b=bank, s=stride: conv2d(p.copy(), b.copy(), s)  # noqa: E731
        yield Case(given, call, expected, remark)


def _answer_to(kernel, picture):
    """What a Conv2D with this kernel makes of a picture (H, W), in float64."""
    return correlate2d(np.asarray(picture, float), np.asarray(kernel, float), mode="valid")


@question(
    "A kernel says how much of each neighbour goes into the output. For the output to be the picture moved "
    "to the right, which neighbour must come to every place?",
    "Picture minus Laplacian: the picture itself is the kernel with a 1 in the middle; subtract the "
    "Laplacian from it. For the last kernel: in upright stripes the three pixels of a column are equal, so "
    "only the sum of each column of the kernel counts.",
    done="Right. Four kernels; your last one is blind to exactly what the school of stripes taught.",
)
def q3(answer):
    shift, sharpen, diagonal, blind = answer
    names = ("`shift`", "`sharpen`", "`diagonal`", "`nothing_if_even`")
    for name, kernel in zip(names, answer, strict=True):
        yield Case(
            f"{name}, its shape", lambda kernel=kernel: np.shape(kernel), (3, 3), "A 3×3 array."
        )
    dot = np.zeros((5, 5))
    dot[2, 2] = 1
    right = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]])
    yield Case(
        "`shift` on a picture that is 1 only in the middle, the middle 3×3 of the output",
        lambda: _answer_to(shift, dot), right,
        "The bright pixel must come out one place further right. A Conv2D does not turn its kernel, so the "
        "kernel looks at what stands to the *left* of each place.",
    )
    flat, step = np.full((3, 3), 7.0), np.array([[0, 0, 4]] * 3)
    yield Case(
        "`sharpen` on an even 7", lambda: _answer_to(sharpen, flat).item(), 7.0,
        "The Laplacian of an even picture is 0; what remains of picture minus Laplacian?",
    )
    yield Case(
        "`sharpen` just before a step from 0 to 4", lambda: _answer_to(sharpen, step).item(), -4.0,
        "The picture is 0 there and its Laplacian 4. Picture *minus* Laplacian: mind the sign.",
    )
    yield Case(
        "`sharpen` on a picture that is 1 only in the middle, the middle 3×3 of the output",
        lambda: _answer_to(sharpen, dot), np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        "The Laplacian there is -4 in the middle and 1 at its four neighbours.",
    )
    yield Case(
        "`diagonal` on a slope that rises by 1 to the right and by 1 downwards",
        lambda: _answer_to(diagonal, np.add.outer(np.arange(3), np.arange(3))).item(), 2.0,
        "From the upper left neighbour, 0, to the lower right one, 4; half of it. Mind the sign.",
    )
    yield Case(
        "`diagonal` on a slope along the other diagonal",
        lambda: _answer_to(diagonal, np.add.outer(-np.arange(3), np.arange(3))).item(), 0.0,
        "Upper left and lower right are equal there.",
    )
    yield Case(
        "`diagonal` on a picture that is 1 only in the middle, the middle 3×3 of the output",
        lambda: _answer_to(diagonal, dot), np.array([[0.5, 0, 0], [0, 0, 0], [0, 0, -0.5]]),
        "Only two neighbours count. The sum of across and down agrees on slopes, not on a point.",
    )
    yield Case(
        "`nothing_if_even` on an even 7", lambda: _answer_to(blind, flat).item(), 0.0,
        "What must all nine weights add up to?",
    )
    stripes = np.array([[1, 5, 2]] * 3)
    yield Case(
        "`nothing_if_even` on three rows of 1 5 2", lambda: _answer_to(blind, stripes).item(), 0.0,
        "In upright stripes only the sum of each column of the kernel counts.",
    )
    yield Case(
        "`nothing_if_even` on stripes of random greys",
        lambda: _answer_to(blind, np.repeat(np.random.default_rng(0).random((1, 3)), 3, axis=0)).item(), 0.0,
        "Every column of the kernel must add up to 0, not only all nine.",
    )
    lying = [np.repeat(np.eye(3)[[i]].T, 3, axis=1) for i in range(3)]
    yield Case(
        "`nothing_if_even` on lying stripes, each row bright in turn",
        lambda: max(abs(_answer_to(blind, picture).item()) for picture in lying),
        "an answer other than 0 to one of them",
        "A kernel of zeros sees nothing at all, and one whose *rows* add up to 0 no lying stripes.",
        right=lambda strongest: strongest > 1e-3,
    )


@question(
    "Which axes are averaged over? One mean for each channel, over the pictures, their rows and their "
    "columns: axis=(0, 1, 2).",
    "With training=True use the batch's own statistics, and then move self.mean and self.variance a little "
    "towards them. With training=False use self.mean and self.variance, and change nothing.",
    done="Right. Normalisation, memory, and a prediction that does not depend on its company.",
)
def q4(BatchNorm):
    pair = np.array([1.0, 3.0]).reshape(2, 1, 1, 1)
    other = np.array([1.0, -5.0]).reshape(2, 1, 1, 1)

    def made(channels=1, momentum=0.9, epsilon=0.0):
        return BatchNorm(channels, momentum, epsilon)

    def after(batches, read, **options):
        norm = made(**options)
        for batch in batches:
            norm(batch.copy(), True)
        return read(norm)

    yield Case(
        "a new BatchNorm of 2 channels, the memory of the mean", lambda: made(2).mean, np.zeros(2),
        "One number for each channel, as a NumPy array.",
    )
    yield Case(
        "a new BatchNorm of 2 channels, the memory of the variance", lambda: made(2).variance, np.ones(2)
    )
    given = "two pictures of one pixel, 1 and 3, in training"
    got = lambda: np.ravel(made()(pair.copy(), True))  # noqa: E731
    yield Case(
        given, got, "[-1, 1]", "In training the batch's own statistics are used; the memory is only moved.",
        right=lambda value: not np.allclose(value, [1, 3]),
    )
    yield Case(
        given, got, "[-1, 1]",
        "A picture minus its own mean is 0, by its own deviation 0/0: average over the batch too, "
        "axis=(0, 1, 2).",
        right=lambda value: np.all(np.isfinite(value)) and np.any(value),
    )
    yield Case(given, got, [-1.0, 1.0], "Mean 2, variance 1.")
    yield Case(
        "1 and -5, in training", lambda: np.ravel(made()(other.copy(), True)), [1.0, -1.0],
        "Mean -2, variance 9: divide by the standard deviation, which is 3.",
    )
    yield Case(
        "1 and 3, in training, epsilon 3", lambda: np.ravel(made(epsilon=3.0)(pair.copy(), True)),
        [-0.5, 0.5],
        "Epsilon is added to the variance, inside the root: √(1 + 3) = 2.",
    )
    maps = np.random.default_rng(0).normal(size=(4, 3, 2, 2)) * [1, 10] + [5, -5]
    expected = (maps - maps.mean((0, 1, 2))) / maps.std((0, 1, 2))
    yield Case(
        "four pictures of 3×2 pixels with 2 channels, in training", lambda: made(2)(maps.copy(), True),
        expected,
        "One mean for each channel, over batch, height and width together: axis=(0, 1, 2).",
    )
    yield Case(
        "the memory of the mean after one batch of 1 and 3, momentum 0.9",
        lambda: np.ravel(after([pair], lambda n: n.mean)), [0.2],
        "0.9 · 0 + 0.1 · 2. At 0 the memory did not move; at 1.8 the wrong part keeps 0.9.",
    )
    yield Case(
        "the memory of the variance after one batch of 1 and -5, momentum 0.9",
        lambda: np.ravel(after([other], lambda n: n.variance)), [1.8],
        "0.9 · 1 + 0.1 · 9. At 1 the memory did not move.",
    )
    yield Case(
        "1 and 3 with training=False, by a new BatchNorm", lambda: np.ravel(made()(pair.copy(), False)),
        [1.0, 3.0],
        "Its memory is mean 0 and variance 1: nothing changes.",
    )
    yield Case(
        "the memory of the mean after one batch in training and then one with training=False",
        lambda: np.ravel(after([pair], lambda n: (n(other.copy(), False), n.mean)[1])), [0.2],
        "A prediction must leave no trace.",
    )
    yield Case(
        "1 with training=False, beside 3 and beside -5, after 200 batches of 1 and 3: the difference",
        lambda: abs(after([pair] * 200, lambda n: n(pair, False)[0] - n(other, False)[0])).item(), 0.0,
        "A prediction must not depend on the company.",
    )


def _sides(model):
    """Height and width of all kernels and pools of a model."""
    for layer in model.layers:
        yield from getattr(layer, "kernel_size", getattr(layer, "pool_size", (1,)))


def _is_convolution(layer):
    return hasattr(layer, "kernel_size")


def _field_by_gradient(model):
    """Side of the square of pixels that the middle output depends on, by weights that cannot cancel."""
    copy = keras.models.clone_model(model)
    copy.set_weights([np.full(w.shape, 1.0 / max(1, w[..., 0].size)) for w in model.get_weights()])
    field = effective_receptive_field(copy, np.random.default_rng(0).random((64, 64, 1)))
    return int(max(np.any(field > 0, axis=0).sum(), np.any(field > 0, axis=1).sum()))


@question(
    "Write down r and j layer by layer: r grows by (k - 1) · j, and j is multiplied by the stride. How large "
    "may j become? Two poolings of 2 make it 4.",
    "After two poolings each 3×3 convolution adds 8 pixels. With 8 filters it costs 3·3·8·8 + 8 = 584 "
    "parameters. (Larger kernels see further, too: what do they cost?)",
    done="Right. It sees far enough, by the formula and by the gradient, and is cheap.",
)
def q5(far_seeing):
    built = []
    yield Case(
        "`far_seeing()`", lambda: built.append(far_seeing()) or built[0], "a Keras model",
        right=lambda answer: isinstance(answer, keras.Model),
    )
    model = built[0]
    yield Case("the shape that goes in", lambda: str(model.input_shape), "(None, 64, 64, 1)")
    yield Case(
        "the number of axes of what comes out", lambda: len(model.output_shape), 4,
        "Maps (B, h, w, K): do not flatten, and do not pool over the whole map.",
    )
    yield Case(
        "the number of rows and columns that come out", lambda: min(model.output_shape[1:3]), "at least 8",
        "One number for the whole picture is no map. And `valid` eats a rim in every layer: padding='same'.",
        right=lambda side: side >= 8,
    )
    yield Case(
        "the largest kernel or pool", lambda: max(_sides(model)), "at most 5 on each side",
        "One huge kernel sees far, but that is not the way asked for.", right=lambda side: side <= 5,
    )
    yield Case(
        "the number of convolutions", lambda: sum(map(_is_convolution, model.layers)), "at most 6",
        "Each of them adds (k - 1) · j to the field. Let j grow earlier, and fewer of them will do.",
        right=lambda number: number <= 6,
    )
    yield Case(
        "the distance of two neighbouring outputs, in input pixels",
        lambda: float(receptive_field(model)[-1][2]), "at most 4",
        "Every stride of 2 doubles it.", right=lambda stride: stride <= 4,
    )
    yield Case(
        "the receptive field by the formula", lambda: float(receptive_field(model)[-1][1]), "at least 40",
        "A convolution adds (k - 1) · j. The later it comes, the more it adds: where do your poolings stand?",
        right=lambda size: size >= 40,
    )
    yield Case(
        "the number of parameters", model.count_params, "at most 5,000",
        "h · h · C · K + K for each convolution. Fewer filters do not see less far.",
        right=lambda count: count <= 5_000,
    )
    yield Case(
        "the columns and rows that the gradient reaches", lambda: _field_by_gradient(model), "at least 36",
        "The formula counts what could matter. Is there a path from every pixel? (A max pooling lets one of "
        "four pixels through at a time; strided layers may skip some.)",
        right=lambda side: side >= 36,
    )


def _read(bank, moved=2):
    """Share of held-out digits, moved to the right, read rightly with a bank (5, 5, 1, K)."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    train, val = order[:1000], order[1000:1300]
    layer = keras.layers.Conv2D(
        bank.shape[3], 5, padding="same", activation="relu", use_bias=False, dtype="float32"
    )
    layer.build((None, 20, 20, 1))
    layer.set_weights([bank])

    def strokes(part, right):
        images = (digits.images[part] / 16).astype("float32")
        canvas = np.pad(images, ((0, 0), (6, 6), (6 + right, 6 - right)))[..., None]
        return keras.ops.convert_to_numpy(keras.ops.max(layer(canvas), axis=(1, 2)))

    reader = KNeighborsClassifier(5).fit(strokes(train, 0), digits.target[train])
    return float(reader.score(strokes(val, moved), digits.target[val]))


@question(
    "Kernels that all look alike give the same number thirty-two times. What would make them differ: "
    "directions, ends, bends, offsets?",
    "Take the mean out of every kernel and scale it to length 1, or one loud kernel decides all distances. "
    "Compare at least three banks on validation, from more than one draw where chance is involved.",
    done="""Your bank reads what was asked for. Hold your report against this rubric:
  1. It begins with a prediction, and says whether it came true.
  2. It compares at least three banks on the same validation digits, one of them plain random numbers.
  3. It says what chance there is in each result (another draw), and ranks nothing closer than that.
  4. The bank was chosen on validation, and the test result is quoted once.
  5. It names a confusion, a guess at its reason, and says whether the guess was tested.""",
)  # fmt: skip
def q6(answer):
    bank, report = answer
    yield Case(
        "the shape of `bank`", lambda: str(np.shape(bank)), "(5, 5, 1, K) with K from 1 to 32",
        right=lambda _: np.shape(bank)[:3] == (5, 5, 1) and 1 <= np.shape(bank)[3] <= 32,
    )
    yield Case(
        "`bank`, its largest number", lambda: np.abs(bank).max(), "finite and not 0",
        "Is a kernel divided by its length 0?", right=lambda value: np.isfinite(value) and value > 0,
    )
    share = _read(np.asarray(bank, "float32"))
    yield Case(
        "the validation digits, moved by two pixels, the share that is read rightly",
        lambda: share, "at least 0.88",
        "Is each kernel without its mean and of length 1 (as_bank)? Then: bars through the middle do "
        "worse than random numbers, and these not well enough: offsets, ends, bends are missing."
        if share > 0.6
        else "Do the kernels differ enough from each other, and is each without its mean and of length 1?",
        right=lambda share: share >= 0.88,
    )
    yield Case(
        "the report", lambda: report, "five sentences or so, 50 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 50,
    )
