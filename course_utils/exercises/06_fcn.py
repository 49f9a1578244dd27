"""Questions on lecture 06: fully convolutional networks."""

from functools import cache

import keras
import numpy as np
from scipy import ndimage
from scipy.stats import spearmanr

from course_utils import data, metrics
from course_utils.exercises import Case, in_float32, question


@question(
    "The first window begins at pixel 0, the next ones 4 pixels on each; the last one must still fit. "
    "How many steps of 4 fit into 110 − 70, and into 150 − 70?",
    "A dense layer on a map becomes a filter as large as the map: height, width, channels in, units. And "
    "n' = s (n − 1) + k − 2p.",
    done="Right. The same weights, counted in other shapes.",
)
def q1(answer):
    answers, kernel_shape, length = answer
    slips = {
        (10, 20): "40 / 4 is the number of steps. How many windows are that, with the first one?",
        (21, 11): "Rows first: the scene is 110 high.",
        (27, 37): "That is 110/4 and 150/4; but a window must fit into the scene.",
        (41, 81): "That is one window for each pixel; the step is 4.",
    }
    yield Case(
        "`answers`", lambda: answers, "as many rows and columns as windows of 70 fit at steps of 4",
        _slip(slips, answers, "The first window begins at pixel 0; how many more follow, 4 pixels on each?"),
        right=lambda pair: np.array_equal(pair, (11, 21)),
    )
    slips = {
        (800, 128): "That is the kernel of the dense layer. The convolution's has height and width.",
        (5, 5, 128, 32): "Keras has the channels that come in before the filters.",
        (32, 5, 5, 128): "Keras has height and width first.",
        (128, 32, 5, 5): "That is another library's order; Keras has height and width first, filters last.",
    }
    yield Case(
        "`kernel_shape`", lambda: kernel_shape, "(height, width, channels that come in, filters)",
        _slip(slips, kernel_shape, "The filter is as large as the map on which the dense layer stands."),
        right=lambda shape: np.array_equal(shape, (5, 5, 32, 128)),
    )
    slips = {
        24: "That is before the padding is cut off, at both ends.",
        23: "The padding is cut off at both ends.",
        26: "Padding is cut off here, not added.",
        21: 'That is step times as many, as Keras\'s "same" gives; here the padding is 1.',
        2: "That is the convolution; the transposed one goes up.",
    }
    yield Case(
        "`length`", lambda: length, "the length of all strokes together, less the padding",
        _slip(slips, length, "How far from the first stroke to the last, how long is the last, and how much "
              "is cut off?"),
        right=lambda n: np.array_equal(n, 22),
    )


def _slip(slips, answer, otherwise):
    """The remark on a known wrong answer."""
    try:
        key = tuple(int(v) for v in answer) if np.ndim(answer) else int(answer)
    except (TypeError, ValueError):
        return otherwise
    return slips.get(key, otherwise)


def _slide(kernel, bias, maps):
    head = np.asarray(kernel).reshape(2, 2, maps.shape[-1], -1)
    h, w = maps.shape[0] - 1, maps.shape[1] - 1
    parts = [maps[i : i + h, j : j + w] @ head[i, j] for i in (0, 1) for j in (0, 1)]
    return sum(parts) + bias


@question(
    "Flatten reads a map row by row, channels last: kernel.reshape(2, 2, C, U) is the filter.",
    "For each window: maps[i : i + 2, j : j + 2].ravel() @ kernel + bias. Two loops will do.",
    done="Right. Five cases, several channels and units among them.",
)
def q2(slide):
    rng = np.random.default_rng(0)
    ramp = np.array([[1.0, 2], [3, 4]])[..., None]
    column = np.array([[1.0], [2], [3], [4]])
    small = np.array([[2.0, 0, 1], [0, 3, 0], [1, 0, 1]])[..., None]
    two = np.array([[[1.0, 10], [2, 20]], [[3, 30], [4, 40]]])  # (2, 2, 2)
    wide = rng.integers(-3, 4, (4, 6, 3)).astype(float)
    weights, bias = rng.integers(-2, 3, (12, 5)).astype(float), rng.integers(-2, 3, 5).astype(float)
    for name, kernel, b, maps, remark in (
        ("a map 1 2 / 3 4, one unit with weights 1, 2, 3, 4 and no bias", column, np.zeros(1), ramp,
         "One window: 1·1 + 2·2 + 3·3 + 4·4. Is the filter turned round, or read by columns?"),
        ("the lecture's map 2 0 1 / 0 3 0 / 1 0 1 with the same weights", column, np.zeros(1), small,
         "Four windows, one beside the other, by one pixel each."),
        ("the same with a bias of 5", column, np.full(1, 5.0), small, "Every answer gets the bias, once."),
        ("a map of 2×2 with two channels, weights 1 … 8", np.arange(1.0, 9)[:, None], np.zeros(1), two,
         "Flatten reads the channels of a pixel before it goes on to the next pixel."),
        ("a map of 4×6 with three channels, five units", weights, bias, wide,
         "Rows, columns, units: shape (3, 5, 5)."),
    ):
        yield Case(
            name, lambda k=kernel, b=b, m=maps: slide(k.copy(), b.copy(), m.copy()),
            _slide(kernel, b, maps), remark,
        )


def _paint(z, kernel, stride, padding):
    (h, w), (a, b) = z.shape, kernel.shape
    out = np.zeros((stride * (h - 1) + a, stride * (w - 1) + b))
    for (i, j), value in np.ndenumerate(z):
        out[stride * i : stride * i + a, stride * j : stride * j + b] += value * kernel
    return out[padding : out.shape[0] - padding, padding : out.shape[1] - padding]


@question(
    "Begin with zeros of (stride · (h − 1) + a, stride · (w − 1) + b), and add value · kernel for every "
    "number of z, at its place.",
    "out[s*i : s*i + a, s*j : s*j + b] += z[i, j] * kernel. To cut padding off: out[p : H - p, p : W - p]; "
    "out[p:-p] is empty for p = 0.",
    done="Right. Six cases: overlaps, gaps, padding, and a kernel that is not square.",
)
def q3(paint):
    rng = np.random.default_rng(1)
    ones, square = np.ones((2, 2)), np.array([[1.0, 2], [3, 4]])
    for name, z, kernel, stride, padding, remark in (
        ("z = [[3]], kernel 1 2 / 3 4, step 1, no padding", np.array([[3.0]]), square, 1, 0,
         "One number paints three times the kernel, the right way round. (out[0:-0] is empty.)"),
        ("z = [[1, 2]], kernel 1 1 / 1 1, step 1, no padding", np.array([[1.0, 2]]), ones, 1, 0,
         "The two strokes overlap in the middle column: there they add."),
        ("z = 1 2 / 3 4, kernel 1 1 / 1 1, step 2, no padding", square, ones, 2, 0,
         "No overlap here: every number four times."),
        ("z = 1 2 / 3 4, kernel 1 1 / 1 1, step 3, no padding", square, ones, 3, 0,
         "A step longer than the kernel leaves gaps of zeros."),
        ("z = 1 2 / 3 4, kernel of 3×3 ones, step 2, padding 1", square, np.ones((3, 3)), 2, 1,
         "Paint without padding first; then cut one row and one column off at every side."),
        ("z of 3×2, kernel of 3×4, step 2, padding 1", rng.integers(0, 5, (3, 2)).astype(float),
         rng.integers(0, 5, (3, 4)).astype(float), 2, 1, "Neither z nor the kernel need be square."),
    ):
        yield Case(
            name, lambda z=z, k=kernel, s=stride, p=padding: paint(z.copy(), k.copy(), s, p),
            _paint(z, kernel, stride, padding), remark,
        )


def _unpool(z, x):
    out = np.zeros(x.shape)
    for (i, j), value in np.ndenumerate(z):
        square = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        place = int(square.argmax())
        out[2 * i + place // 2, 2 * j + place % 2] = value
    return out


@question(
    "Go through the squares: x[2*i : 2*i + 2, 2*j : 2*j + 2].argmax() gives the first place of the maximum, "
    "0 to 3, row by row.",
    "Place 0 is the upper left, 1 the upper right, 2 the lower left, 3 the lower right: row place // 2, "
    "column place % 2.",
    done="Right. Five cases; with a tie one place gets the number, not two.",
)
def q4(unpool):
    rng = np.random.default_rng(2)
    for name, z, x, remark in (
        ("z = [[7]], x = 1 2 / 9 4", [[7]], [[1, 2], [9, 4]], "The 7 goes where the 9 stood."),
        ("z = [[7]], x = 1 9 / 3 4", [[7]], [[1, 9], [3, 4]],
         "Row by row: place 1 is the upper right. Is what comes up the number of z, not of x?"),
        ("z = [[7, 8]], x = 1 2 0 5 / 3 4 6 1", [[7, 8]], [[1, 2, 0, 5], [3, 4, 6, 1]],
         "Each square of x has a maximum of its own: 2×2 pixels that touch, not halves of the map."),
        ("z = [[7]], x = 0 0 / 0 0", [[7]], [[0, 0], [0, 0]],
         "A tie: the first place counts, and it alone. (x == maximum is true in several places.)"),
        ("z of 3×2 and x of 6×4 with negative numbers and ties", rng.integers(-4, 5, (3, 2)),
         rng.integers(-3, 1, (6, 4)), "The maximum of a square may be negative or 0, and z may be, too."),
    ):
        z, x = np.array(z, float), np.array(x, float)
        yield Case(name, lambda z=z, x=x: unpool(z.copy(), x.copy()), _unpool(z, x), remark)


@in_float32()
def _skip(add_skip, classes=3, channels=5):
    """The student's skip as a float32 model of two inputs."""
    keras.utils.set_random_seed(0)
    coarse, fine = keras.Input((4, 4, classes)), keras.Input((8, 8, channels))
    return keras.Model([coarse, fine], add_skip(coarse, fine))


def _raised(coarse):
    B = np.zeros((8, 4))
    for i in range(8):
        place = np.clip((i + 0.5) / 2 - 0.5, 0, 3)
        low = min(int(place), 2)
        B[i, low], B[i, low + 1] = 1 - (place - low), place - low
    return np.einsum("ih,jw,bhwk->bijk", B, B, coarse)


@question(
    'layers.UpSampling2D(2, interpolation="bilinear") brings the coarse scores up; layers.Conv2D(K, 1) '
    "scores the fine channels; K is coarse.shape[-1].",
    'kernel_initializer="zeros" makes the skip silent at first. layers.Add adds the two. No activation: '
    "these are scores.",
    done="Right. Silent at first, a pixel's own opinion later, and it learns.",
)
def q5(add_skip):
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(2, 4, 4, 3)).astype("float32")
    fine = rng.normal(size=(2, 8, 8, 5)).astype("float32")

    def with_weights():
        """The model with random weights, and what it adds to the raised scores."""
        model = _skip(add_skip)
        arrays = [rng.normal(size=w.shape).astype("float32") for w in model.weights]
        model.set_weights(arrays)
        return arrays, model.predict([coarse, fine], verbose=0) - _raised(coarse)

    def learned():
        """How far the skip's weights move in one step towards some target."""
        model = _skip(add_skip)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit([coarse, fine], rng.normal(size=(2, 8, 8, 3)).astype("float32"), verbose=0)
        return max(float(abs(w).max()) for w in model.get_weights() if w.ndim == 4)

    def affine():
        arrays, added = with_weights()
        kernel, bias = next(w for w in arrays if w.ndim == 4), next(w for w in arrays if w.ndim == 1)
        return abs(added - (fine @ kernel[0, 0] + bias)).max()

    yield Case(
        "coarse (B, 4, 4, 3) and fine (B, 8, 8, 5), the output shape for 2 pictures",
        lambda: _skip(add_skip).predict([coarse, fine], verbose=0).shape, (2, 8, 8, 3),
        "As many rows and columns as fine, as many channels as coarse.",
    )
    yield Case(
        "new weights, the largest difference to the coarse scores brought up bilinearly",
        lambda: abs(_skip(add_skip).predict([coarse, fine], verbose=0) - _raised(coarse)).max(), "0",
        "At first the skip changes nothing: is its kernel zero, and the way up a bilinear resizing (not "
        "nearest; a transposed convolution differs at the border)? A relu would cut negative scores off.",
        right=lambda d: d < 1e-4,
    )
    yield Case(
        "the shapes of all weights", lambda: sorted(tuple(w.shape) for w in _skip(add_skip).weights),
        "one kernel (1, 1, 5, 3) and one bias (3,)",
        "One 1×1 convolution with its bias, from the 5 fine channels to the 3 classes; no more, and no "
        "concatenation.",
        right=lambda shapes: [tuple(s) for s in shapes] == [(1, 1, 5, 3), (3,)],
    )
    yield Case(
        "random weights, the largest difference of what the skip adds to fine · kernel + bias", affine, "0",
        "What is added are scores of the fine channels as they are, without an activation.",
        right=lambda d: d < 1e-3,
    )
    yield Case(
        "one step of training, how far the skip's kernel moved", learned, "more than 0",
        "Zero at first, but not for ever: it has to be trainable.", right=lambda d: d > 0,
    )


# --- the open question ----------------------------------------------------------------------------


@cache
def _told():
    """Mean IoU of the truth told at each step, IoU by class at step 16, and the thickness of each class."""
    scenes = data.load("toyvoc", "train", size=96, limit=100)
    masks, by_step = scenes.masks[:], {}
    for step in (2, 4, 8, 16, 32):
        confusion = np.zeros((21, 21), int)
        for mask in masks:
            one_hot = (mask[..., None] == np.arange(21)).astype("float32")
            cells = one_hot.reshape(1, 96 // step, step, 96 // step, step, 21).mean(axis=(2, 4))
            raised = keras.ops.image.resize(cells, (96, 96), "bilinear")
            answer = keras.ops.convert_to_numpy(keras.ops.argmax(raised, axis=-1))[0]
            confusion += metrics.confusion_matrix(mask, answer, 21)
        by_step[step] = metrics.scores(confusion)
    thickness = [
        np.concatenate([ndimage.distance_transform_edt(m == k)[m == k] for m in masks]).mean()
        for k in range(1, 21)
    ]
    iou = by_step[16].iou[1:]
    told = {step: score.mean_iou for step, score in by_step.items()}
    return told, iou, spearmanr(thickness, iou).statistic, scenes.class_names[1:]


@question(
    "told = {step: score_of(truth_at_step(masks, step)).mean_iou for step in (2, 4, 8, 16, 32)}; keep the "
    "whole score of step 16, its .iou has one number a class, the background first.",
    "Thickness: ndimage.distance_transform_edt(mask == k) gives the distances, those where mask == k count. "
    "scipy.stats.spearmanr(thickness, iou).statistic is the rank correlation.",
    done="""Your numbers hold and your report is there. Now hold the report against this rubric, a point each:
  1. It names the mean IoU at two steps at least, and says what was expected.
  2. It names the class that loses most at step 16, with its IoU.
  3. The explanation was tested: the rank correlation stands there, with its sign read rightly.
  4. It says what chance could give with twenty classes, or that a correlation is no cause.
  5. It names a limit: larger pictures of the same things shift the steps, or a network will stay below.""",
)
def q6(answer):
    told, coarsest, worst, correlation, report = answer
    steps = (2, 4, 8, 16, 32)
    yield Case(
        "`told`", lambda: told, "a dict with the steps 2, 4, 8, 16 and 32",
        right=lambda b: sorted(b) == list(steps),
    )
    expected, iou, true_correlation, names = _told()
    for step in steps:
        yield Case(
            f"`told` at step {step}", lambda step=step: float(told[step]), f"{expected[step]:.3f}",
            "The mean IoU of all 21 classes over all 100 scenes, from one table of counts.",
            right=lambda b, step=step: abs(b - expected[step]) < 0.005, hidden=True,
        )
    yield Case(
        "`coarsest`", lambda: coarsest, max(s for s in steps if expected[s] >= 0.9),
        "The largest step that keeps at least 0.9.", hidden=True,
    )
    yield Case(
        "`worst`, the class that loses most at step 16", lambda: worst, names[int(np.argmin(iou))],
        right=lambda name: name in names and iou[names.index(name)] <= iou.min() + 0.005,
        remark="The lowest IoU of the twenty classes. (Entry 0 of .iou is the background.)", hidden=True,
    )
    yield Case(
        "`correlation`", lambda: float(correlation), f"{true_correlation:.2f}",
        "Twenty numbers against twenty, without the background; the mean distance over all pixels of a "
        "class, all scenes together, not a mean of scenes' means; spearmanr, not corrcoef. (Zeros round a "
        "scene, as in the lecture, change little.)",
        right=lambda c: abs(c - true_correlation) < 0.01, hidden=True,
    )
    yield Case(
        "the report", lambda: report, "three sentences or more, 30 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 30,
    )
