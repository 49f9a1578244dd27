"""Questions on lecture 03: the layers of convolutional autoencoders, and what codes hold."""

import functools
import re

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from course_utils import data
from course_utils.exercises import Case, question
from course_utils.models.googlenet import inception


@question(
    "Cut z into its four windows of 2×2 with two strokes of the pencil. The first window is 3, 1, 0, 2.",
    "Unpooled, each maximum stands where it stood in z, and all else is 0. In the last window 2 appears "
    "twice: the first of both counts.",
    done="Right. Sixteen numbers became four, and came back as four with their places.",
)
def q1(answer):
    maxima, averages, unpooled = answer
    yield Case(
        "`maxima`", lambda: np.asarray(maxima, float), np.array([[3.0, 4], [5, 2]]),
        "One number for each window of 2×2, windows that do not overlap.",
    )
    yield Case(
        "`averages`", lambda: np.asarray(averages, float), np.array([[1.5, 1.75], [1.75, 1]]),
        "The sum of the four numbers of a window, divided by four.",
    )
    places = np.array([[3.0, 0, 0, 0], [0, 0, 4, 0], [0, 0, 0, 0], [5, 0, 2, 0]])
    yield Case(
        "`unpooled`", lambda: np.asarray(unpooled, float), places,
        "Each maximum once, at its own place; a tie goes to the first, row by row.",
    )


def _convolved(volume, kernel):
    batch = volume[None].astype("float32")
    out = keras.ops.conv(batch, kernel.astype("float32"), padding="same")
    return keras.ops.convert_to_numpy(out)[0]


@question(
    "np.pad(volume, ((n // 2, n // 2), (n // 2, n // 2), (0, 0))) puts the zeros round it. Then, for each "
    "row and column of the result, take the window of n×n×C that begins there.",
    "np.tensordot(window, kernel, axes=3) multiplies a window (n, n, C) with all filters (n, n, C, M), and "
    "adds up over the first three axes: M numbers.",
    done="Right. Six volumes, with one to three channels, one to four filters, 1×1 to 5×5.",
)
def q2(convolve):
    rng = np.random.default_rng(0)
    dot = np.zeros((3, 3, 1))
    dot[1, 1] = 1
    corner = np.zeros((3, 3, 1, 1))
    corner[0, 0] = 1  # looks up and to the left
    ones = np.ones((3, 3, 2))
    cases = [
        ("a 3×3 volume with a single 1 in its middle, and a filter with a single 1 in its upper left corner",
         dot, corner, "The filter is not turned round: the result is 1 where the 1 lies up and to the left."),
        ("a volume of ones, 3×3×2, and one filter of ones", ones, np.ones((3, 3, 2, 1)),
         "The sum runs over the channels too, and the zeros of the border count: 8, 12, 8 in the first row."),
        ("a random volume 4×5×1 and two filters", rng.normal(size=(4, 5, 1)), rng.normal(size=(3, 3, 1, 2)),
         "Height and width may differ."),
        ("a random volume 5×5×3 and four filters of 5×5", rng.normal(size=(5, 5, 3)),
         rng.normal(size=(5, 5, 3, 4)), "A filter of 5×5 wants two rows and columns of zeros on each side."),
        ("a random volume 4×4×3 and two filters of 1×1", rng.normal(size=(4, 4, 3)),
         rng.normal(size=(1, 1, 3, 2)), "A 1×1 filter needs no border."),
        ("a random volume 6×3×2 and three filters", rng.normal(size=(6, 3, 2)),
         rng.normal(size=(3, 3, 2, 3)), ""),
    ]  # fmt: skip
    for name, volume, kernel, remark in cases:
        expected = _convolved(volume, kernel)
        yield Case(
            f"{name}: the shape", lambda v=volume, k=kernel: np.shape(convolve(v.copy(), k.copy())),
            expected.shape,
            "One map for each filter, as high and wide as the volume: pad with n // 2 zeros on every "
            "side, where n is the side of the filter, not always 3.",
        )
        yield Case(
            name, lambda v=volume, k=kernel: np.asarray(convolve(v.copy(), k.copy())), expected, remark,
            tolerance=1e-3,
        )


@question(
    "Make zeros of the final shape. Each number of z then adds itself times the brush to a window of n×n "
    "that begins at row r·stride, column c·stride.",
    "out[r * stride : r * stride + n, c * stride : c * stride + n] += z[r, c] * brush. With = in place of "
    "+=, later strokes wipe out earlier ones.",
    done="Right. Six maps, with strides of 1, 2 and 3.",
)
def q3(paint):
    rng = np.random.default_rng(1)
    ones, uneven = np.ones((2, 2)), np.array([[1.0, 2], [3, 4]])
    for name, z, brush, stride, remark in (
        ("z = [[5]] and the brush [[1, 2], [3, 4]]", np.array([[5.0]]), uneven, 1,
         "One number paints the whole brush once, as it stands."),
        ("z = [[1, 10]], the brush [[1, 2], [3, 4]], stride 2", np.array([[1.0, 10]]), uneven, 2,
         "Two strokes side by side, which do not touch."),
        ("z = [[1, 10]], the brush [[1, 2], [3, 4]], stride 1", np.array([[1.0, 10]]), uneven, 1,
         "Where strokes overlap they add."),
        ("2×2 ones, a brush of 2×2 ones, stride 3", ones, ones, 3,
         "With a stride longer than the brush, zeros stay between the strokes."),
        ("a random 3×2 map, a 3×3 brush, stride 2", rng.normal(size=(3, 2)), rng.normal(size=(3, 3)), 2, ""),
        ("a random 4×4 map, a 4×4 brush, stride 2", rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), 2, ""),
    ):  # fmt: skip
        expected = np.zeros([(side - 1) * stride + len(brush) for side in z.shape])
        for (r, c), number in np.ndenumerate(z):
            window = np.s_[r * stride : r * stride + len(brush), c * stride : c * stride + len(brush)]
            expected[window] += number * brush
        yield Case(
            f"{name}: the shape",
            lambda z=z, b=brush, s=stride: np.shape(paint(z.copy(), b.copy(), s)), expected.shape,
            "(h − 1)·stride + n rows: the last stroke begins (h − 1) steps down and is n high. n is the side "
            "of the brush, not always 3.",
        )
        yield Case(
            name, lambda z=z, b=brush, s=stride: np.asarray(paint(z.copy(), b.copy(), s)), expected, remark
        )


def _weights(channels, widths):
    x = keras.Input((None, None, channels))
    module = keras.Model(x, inception(x, widths))
    return sum(int(np.prod(w.shape)) for w in module.trainable_weights if len(w.shape) == 4)


@question(
    "A convolution of n×n from C channels to M has n·n·C·M weights. Which of the six convolutions see the "
    "module's input, and which see the output of a 1×1 convolution?",
    "Four 1×1 convolutions see the input: channels·(1×1 + both reductions + the last). The 3×3 sees its "
    "reduction's channels, the 5×5 its own.",
    done="Right. Four modules, among them GoogLeNet's first.",
)
def q4(inception_weights):
    for channels, widths, remark in (
        (2, (0, 3, 5, 0, 0, 0), "Only the 3×3 branch: 2·3 in the reduction, then 9·3·5."),
        (3, (0, 0, 0, 0, 0, 4), "Only the pooling's 1×1: 3·4. It has weights too."),
        (10, (1, 1, 1, 1, 1, 1), "The 3×3 and the 5×5 see one channel here, not ten; that is their point."),
        (192, (64, 96, 128, 16, 32, 32), "Is the pooling's 1×1 counted? It sees all the channels too."),
    ):
        by_hand = {2: 2 * 3 + 9 * 3 * 5, 3: 3 * 4}  # Keras builds no layers without filters
        expected = by_hand.get(channels) or _weights(channels, widths)
        yield Case(
            f"{channels} channels and the widths {widths}",
            lambda c=channels, w=widths: inception_weights(c, w), expected, remark,
        )


def _noisy_digits():
    digits = (load_digits().images / 16).astype("float32")[..., None]
    digits = digits[np.random.default_rng(0).permutation(len(digits))]
    noise = np.random.default_rng(1).normal(0, 0.25, digits.shape).astype("float32")
    return digits[:1200], (digits + noise)[:1200], digits[1200:], (digits + noise)[1200:]


def _best_of_pca(train, clean, noisy):
    """The lowest error that any number of components leaves."""
    pca = PCA().fit(train.reshape(-1, 64))
    codes, clean = pca.transform(noisy.reshape(-1, 64)), clean.reshape(-1, 64)
    rebuilt = (codes[:, :k] @ pca.components_[:k] + pca.mean_ for k in range(1, 65))
    return min(float(np.mean((r - clean) ** 2)) for r in rebuilt)


@question(
    "The targets differ from the inputs, so copying cannot win, and the code may be as long as you like. "
    "A few convolutions with padding=\"same\" and ReLU will do.",
    "Conv2D(32, 3), Conv2D(32, 3), MaxPooling2D, Conv2D(48, 3), Conv2DTranspose(32, 4, strides=2), "
    "Conv2D(1, 3), all with padding=\"same\"; no activation behind the last.",
    done="Right. Your network cleans unseen digits better than PCA with its best number of components. Its "
    "code need not be short: the target is not the input.",
)
def q5(make_denoiser):
    train, noisy_train, held_out, noisy = _noisy_digits()
    keras.utils.set_random_seed(0)
    built = []
    yield Case(
        "no argument", lambda: built.append(make_denoiser()) or built[0], "a Keras model",
        right=lambda answer: isinstance(answer, keras.Model),
    )
    model = built[0]
    yield Case(
        "the number of parameters", model.count_params, "at most 60,000", "Fewer filters will do.",
        right=lambda count: count <= 60_000,
    )
    yield Case(
        "the shape of the output for 5 pictures", lambda: model.predict(noisy[:5], verbose=0).shape,
        (5, 8, 8, 1), "A picture goes in, a picture comes out. What does padding=\"same\" do?",
    )
    model.compile(keras.optimizers.Adam(2e-3), loss="mse")
    model.fit(noisy_train, train, batch_size=25, epochs=30, verbose=0)
    best = _best_of_pca(train, held_out, noisy)
    yield Case(
        "the error on unseen noisy digits after 30 epochs",
        lambda: float(np.mean((model.predict(noisy, verbose=0) - held_out) ** 2)),
        f"at most {0.9 * best:.4f}, nine tenths of PCA's best, {best:.4f}",
        "How many numbers pass your narrowest layer? Fewer than a dozen are too few here. If none is "
        "narrow: are there activations, and can a pixel see its neighbours?",
        right=lambda error: error <= 0.9 * best,
    )


@functools.cache  # the same for every check
def _pca_errors():
    """(4, 2): validation errors for N = 20, 40, 80, 140 with 16 and with all components."""
    parts = [data.load("toyvoc", part, size=64).subset(["dog", "aeroplane"]) for part in ("train", "val")]
    train, val = (part.images.reshape(-1, 64 * 64 * 3) for part in parts)
    errors = []
    for n in (20, 40, 80, 140):
        mean = train[:n].mean(axis=0)
        directions = np.linalg.svd(train[:n] - mean, full_matrices=False)[2][: n - 1]
        codes = (val - mean) @ directions.T
        rests = [codes[:, :k] @ directions[:k] + mean - val for k in (16, n - 1)]
        errors.append([float(np.mean(rest**2)) for rest in rests])
    return np.array(errors)


@question(
    "PCA(k, svd_solver=\"full\").fit(train[:n]), then transform and inverse_transform the validation "
    "pictures, and take the mean of the squared difference over all of them.",
    "In your report: a larger plane contains the smaller one. What does that say about the nearest point "
    "in it? And what, if anything, says the same of two networks that were trained apart?",
    done="""Your numbers hold. The words are yours to judge, by this rubric, a point each:
  1. It states a prediction, and whether it came true.
  2. It compares the two effects with numbers, not adjectives.
  3. It says why a longer PCA code cannot be worse: the larger plane contains the smaller.
  4. It says why a network has no such guarantee.
  5. It names a limit: linear codes, drawn pictures, a single order of the training pictures.""",
)
def q6(answer):
    errors, report = answer
    true = _pca_errors()
    yield Case("`errors`: the shape", lambda: np.shape(errors), (4, 2), "A row for each N.")
    for row, n in enumerate((20, 40, 80, 140)):
        for column, name in enumerate(("16 components", "all N − 1 components")):
            yield Case(
                f"N = {n}, {name}", lambda r=row, c=column: np.asarray(errors, float)[r, c],
                float(true[row, column]),
                "The first N training pictures, scored on all validation pictures; the mean square, not its "
                "root; column 0 is 16 components.", tolerance=2e-4, hidden=True,
            )
    yield Case(
        "the report", lambda: report, "four sentences or more, 40 words at least, with numbers",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 40
        and len(re.findall(r"[.!?](?:\s|$)", text)) >= 4 and any(letter.isdigit() for letter in text),
    )
