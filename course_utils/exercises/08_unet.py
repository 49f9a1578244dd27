"""Questions on lecture 08: U-Net."""

import keras
import numpy as np
from scipy import ndimage

from course_utils import losses, metrics
from course_utils.exercises import Case, in_float32, question


@question(
    "Go down with pencil: 140, minus 4, half of it, minus 4, half of it, minus 4, half of it, minus 4; then "
    "up: double, minus 4, three times.",
    "The skip s_0 is taken after the first bracket, before the first pooling: it has 136 pixels. The bottom "
    "gets the channels of the level above, 64, and makes 128 of them; its second convolution goes "
    "from 128 to 128. Each filter of 3×3×C has 9·C weights and a bias.",
    done="Right. The border is (140 - 52) / 2 = 44 = 6·2³ - 4 pixels: 2 in the first bracket, 40 cropped, 2 "
    "in the last.",
)
def q1(answer):
    side, crop, weights = answer
    yield Case(
        "`side`", lambda: side, 52,
        "Seven brackets take 4 pixels each, of their own size: three on the way down, the bottom, three up.",
    )
    yield Case(
        "`crop`", lambda: crop, 40,
        "The skip has 136 pixels. What arrives from below, before the last bracket? Half of the difference "
        "is cut from each side.",
    )
    yield Case(
        "`weights`", lambda: weights, 221_440,
        "Two convolutions, from 64 to 128 channels and from 128 to 128; 9 weights for every pair of "
        "channels, one bias for every filter.",
    )


@question(
    "One input number x[i, j, c] is painted as x[i, j, c] · kernel[:, :, f, c] on rows 2i, 2i + 1 and "
    "columns 2j, 2j + 1 of output channel f; channels c add up.",
    "For one channel in and out it is np.kron(x, kernel). In general np.einsum('ijc,abfc->iajbf', x, kernel) "
    "has the shape (H, 2, W, 2, F), which only needs a reshape.",
    done="Right. Five maps: one number, a row, a column, channels in and channels out, against Keras.",
)
def q2(up_convolution):
    kernel = np.array([[1.0, 2], [3, 4]])[:, :, None, None]
    for name, x, remark in (
        (
            "x = [[5]] and the kernel 1 2 / 3 4", np.array([[5.0]]),
            "One number paints one block: 5, 10 / 15, 20.",
        ),
        (
            "x = [[1, 10]] and the kernel 1 2 / 3 4", np.array([[1.0, 10]]),
            "Two blocks side by side, not interleaved: the second begins in column 2.",
        ),
        (
            "x = [[1], [10]] and the kernel 1 2 / 3 4", np.array([[1.0], [10]]),
            "The second row's block begins in row 2.",
        ),
    ):
        expected = np.kron(x, kernel[..., 0, 0])
        yield Case(
            f"{name}, the shape", lambda x=x: np.shape(up_convolution(x[..., None], kernel)),
            (*expected.shape, 1), "Twice as high and wide, with the kernel's F channels last.",
        )
        yield Case(
            name, lambda x=x: np.asarray(up_convolution(x[..., None], kernel))[..., 0], expected, remark
        )
    rng = np.random.default_rng(0)
    two_in = np.arange(4.0).reshape(2, 2, 1, 1).repeat(2, axis=3) * [1, 10]              # 2, 2, F=1, C=2
    yield Case(
        "one pixel of two channels, 1 and 1; kernels 0 1 / 2 3 and 0 10 / 20 30",
        lambda: np.asarray(up_convolution(np.ones((1, 1, 2)), two_in))[..., 0], [[0, 11], [22, 33]],
        "Channels that come in are added up: the kernel's third axis goes out, its fourth comes in.",
    )
    x, kernel = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 2, 4, 2))
    layer = keras.layers.Conv2DTranspose(4, 2, strides=2, use_bias=False, dtype="float32")
    layer.build((None, 2, 3, 2))
    layer.set_weights([kernel])
    expected = keras.ops.convert_to_numpy(layer(x[None].astype("float32")))[0]
    yield Case(
        "a random map (2, 3, 2) and a random kernel (2, 2, 4, 2), against Conv2DTranspose",
        lambda: up_convolution(x, kernel), expected,
        "The kernel's third axis is the channel that goes out, the fourth the one that comes in.",
    )


def _raises(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return "ValueError"
    except Exception as error:  # any other kind
        return type(error).__name__
    return "no error"


@question(
    "The border is (skip.shape[1] - x.shape[1]) // 2 rows at the top and as many at the bottom; likewise for "
    "columns, which may have another border.",
    "Cut with skip[:, top : top + h, left : left + w], so that a border of 0 works too (skip[:, 0:-0] is "
    "empty). Then np.concatenate([…, x], axis=-1).",
    done="Right. Three joints that fit, with and without a border, and four that do not.",
)
def q3(joint):
    def numbers(h, w, c=1):
        return np.arange(h * w * c, dtype=float).reshape(1, h, w, c)

    skip, x = numbers(4, 4), -np.ones((1, 2, 2, 1))
    yield Case(
        "a skip (1, 4, 4, 1) of the numbers 0 to 15 and x (1, 2, 2, 1) of -1: the shape",
        lambda: np.shape(joint(skip, x)), (1, 2, 2, 2), "Crop first, then join along the last axis.",
    )
    yield Case(
        "the same, channel 0", lambda: np.asarray(joint(skip, x))[0, ..., 0], [[5, 6], [9, 10]],
        "The skip comes first, and its middle is kept: one pixel off on all four sides.",
    )
    yield Case("the same, channel 1", lambda: np.asarray(joint(skip, x))[0, ..., 1], [[-1, -1], [-1, -1]])
    yield Case(
        "a skip (1, 2, 2, 1) and x (1, 2, 2, 1): no border, the shape",
        lambda: np.shape(joint(numbers(2, 2), x)), (1, 2, 2, 2),
        "With a border of 0, skip[:, 0:-0] is empty. Give the end as start + size.",
    )
    yield Case(
        "a skip (1, 2, 6, 3) and x (1, 2, 2, 1): channels 0 to 2 of the first row",
        lambda: np.asarray(joint(numbers(2, 6, 3), x))[0, 0, :, :3], numbers(2, 6, 3)[0, 0, 2:4],
        "Height and width can have different borders: here 0 and 2.",
    )
    for name, high, wide in (
        ("a skip (1, 5, 4, 1) and x (1, 2, 2, 1), a border of 1½ rows", 5, 4),
        ("a skip (1, 4, 5, 1) and x (1, 2, 2, 1), a border of 1½ columns", 4, 5),
        ("a skip (1, 1, 2, 1) and x (1, 2, 2, 1), which is larger", 1, 2),
        ("a skip (1, 2, 0, 1) and x (1, 2, 2, 1), which is larger by an even number", 2, 0),
    ):
        yield Case(
            f"{name}: what is raised", lambda h=high, w=wide: _raises(joint, numbers(h, w), x), "ValueError",
            "Do not round: raise ValueError where the border is no whole number, or below 0.",
        )


class _Counted:
    """A `predict` for q4: window sums, no two weights alike; counts its calls and the tiles' shapes."""

    def __init__(self, border):
        self.border, self.shapes = border, []

    def __call__(self, tile):
        self.shapes.append(np.shape(tile))
        tile = np.asarray(tile, float)
        b = self.border
        weights = np.sqrt(np.arange(1.0, (2 * b + 1) ** 2 + 1)).reshape(2 * b + 1, 2 * b + 1)
        return ndimage.correlate(tile, weights)[b : tile.shape[0] - b, b : tile.shape[1] - b]


@question(
    "wide = np.pad(image, border, mode='reflect') once, outside the loops. The tile whose answer belongs to "
    "rows y … y + side of the picture is wide[y : y + side + 2 * border, …]: the padding has moved "
    "everything by border already.",
    "Two loops, y and x in steps of side; write each answer to result[y : y + side, x : x + side].",
    done="Right. Three pictures, one of them not square; each tile once, and no seam.",
)
def q4(in_tiles):
    rng = np.random.default_rng(0)
    for name, image, side, border in (
        ("a picture (2, 2) of 0, 1, 2, 3, side 2, border 1", np.arange(4.0).reshape(2, 2), 2, 1),
        ("a random picture (8, 8), side 4, border 2", rng.normal(size=(8, 8)), 4, 2),
        ("a random picture (6, 12), side 3, border 2", rng.normal(size=(6, 12)), 3, 2),
    ):
        calls = image.size // side**2
        counted = _Counted(border)
        expected = _Counted(border)(np.pad(image, border, mode="reflect"))
        got = []
        yield Case(
            f"{name}: the shape of the answer",
            lambda c=counted, i=image, s=side, b=border, got=got: got.append(in_tiles(c, i.copy(), s, b))
            or np.shape(got[0]),
            image.shape,
            "predict wants tiles of side + 2·border and answers side; the answers fill the picture, without "
            "its padding.",
        )
        wanted = (side + 2 * border,) * 2
        yield Case(
            f"{name}: the shapes of the tiles that predict was given",
            lambda c=counted: sorted(set(c.shapes)), f"only {wanted}",
            "Each tile reaches border pixels beyond its answer on all sides.",
            right=lambda shapes, wanted=wanted: shapes == [wanted],
        )
        yield Case(
            f"{name}: calls of predict", lambda c=counted: len(c.shapes), calls,
            "One call a tile: steps of side, in both directions.",
        )
        yield Case(
            f"{name}: the answer", lambda got=got: got[0], expected,
            "Is the picture padded once, as a whole, with its mirror image (mode='reflect', which does not "
            "repeat the edge)? A tile padded by itself mirrors what is not the picture's edge. And is each "
            "answer written to its own place?",
        )


def _dots_near_a_star(count, seed):
    """Pictures (N, 16, 16, 1) of dots and one star, and masks of the dots within five pixels of the star."""
    rng = np.random.default_rng(seed)
    dots = rng.random((count, 16, 16)) < 0.5
    star = rng.integers(0, 16, (count, 2))
    rows, columns = np.mgrid[:16, :16]
    distance = np.hypot(rows - star[:, 0, None, None], columns - star[:, 1, None, None])
    pictures = np.where(distance == 0, 1.0, 0.3 * dots) + rng.normal(0, 0.02, dots.shape)
    masks = (dots & (distance <= 5) & (distance > 0)).astype("uint8")
    return np.clip(pictures, 0, 1)[..., None].astype("float32"), masks


@question(
    "Two loops, as in the lecture: keep each level's features in a list before the pooling, and take them "
    "out of it in reverse order on the way up. Conv2D with padding='same' keeps the size.",
    "Filters of 8, 16 and 32 will do (about 30,000 parameters). keras.Input((None, None, 1)) leaves height "
    "and width open. The last layer is Conv2D(num_classes, 1) without activation.",
    done="Right. Any size, few parameters, negative and positive logits, and outlines that are right to the "
    "pixel after a short training.",
)
def q5(make_unet):
    make_unet = in_float32()(make_unet)
    built = []
    yield Case(
        "num_classes = 2", lambda: built.append(make_unet(2)) or built[0], "a Keras model",
        right=lambda model: isinstance(model, keras.Model),
    )
    keras.utils.set_random_seed(0)
    model = make_unet(2)
    yield Case(
        "num_classes = 2, the number of parameters", model.count_params, "at most 40,000",
        "Fewer filters will do.", right=lambda count: count <= 40_000,
    )
    for shape in ((1, 16, 16, 1), (2, 8, 20, 1)):
        yield Case(
            f"pictures {shape}: the shape of the logits",
            lambda s=shape: model.predict(np.zeros(s, "float32"), verbose=0).shape, (*shape[:3], 2),
            "As high and wide as the picture, num_classes channels, for any size that 4 divides.",
        )
    yield Case(
        "num_classes = 5, the channels of the logits",
        lambda: make_unet(5).output_shape[-1], 5, "The argument sets the last layer's filters.",
    )
    base = np.random.default_rng(0).uniform(size=(4, 64, 64, 1)).astype("float32")
    moved = base.copy()
    moved[:, 32, 32] += 5
    yield Case(
        "a picture of 64×64, in how many rows of the logits a change of the middle pixel is seen",
        lambda: int((abs(model.predict(moved, verbose=0) - model.predict(base, verbose=0)) > 1e-6)
                    .any(axis=(0, 2, 3)).sum()),
        "at least 25", "Go down twice, with two convolutions on each level: the bottom sees far.",
        right=lambda rows: rows >= 25,
    )
    pictures, masks = _dots_near_a_star(512, seed=0)
    held_out, truth = _dots_near_a_star(100, seed=1)
    model.compile(keras.optimizers.Adam(5e-3), losses.CrossEntropy())
    model.fit(pictures, masks, batch_size=16, epochs=12, verbose=0)
    logits = model.predict(held_out, verbose=0)
    yield Case(
        "unseen dots and stars, the logits", lambda: [logits.min() < 0, logits.max() > 1],
        "numbers below 0 and above 1", "Is there an activation behind the last layer? Logits have none.",
        right=all,
    )
    yield Case(
        "unseen dots and stars, the F1 of the dots near the star, after a short training",
        lambda: metrics.scores(metrics.confusion_matrix(truth, logits.argmax(axis=-1), 2)).f1[1],
        "at least 0.85",
        "The dots' exact places are lost at the bottom. Do both skips arrive on the way up, before the "
        "brackets, and at their own size?",
        right=lambda f1: f1 >= 0.85,
    )


def _share_found(answers, instances):
    found = total = 0
    for said, truth in zip(answers, instances.astype(int), strict=True):
        pieces, n = ndimage.label(said)
        overlap = np.zeros((truth.max() + 1, n + 1), int)
        np.add.at(overlap, (truth, pieces), 1)
        iou = overlap / (overlap.sum(axis=1)[:, None] + overlap.sum(axis=0) - overlap)
        found, total = found + (iou[1:, 1:].max(axis=1, initial=0) >= 0.5).sum(), total + truth.max()
    return found / total


@question(
    "For each threshold t: share_found(p['val'] > t, cells['val'].instances). The best is where that is "
    "largest; only then look at p['test'].",
    "Too low a threshold fills the membranes; too high a one eats the cells. In your report, name the share "
    "at 0.5, the best, and the one on test.",
    done="""Your numbers hold and your report is there. Now hold the report against this rubric, a point each:
  1. Its first sentence is the expectation, and the report says whether it came true.
  2. It says why a low threshold loses cells: pieces merge, and share their IoU among several cells.
  3. It says why a high one loses cells: they shrink or break up, until less than half is covered.
  4. It quotes the share at 0.5 beside the best on validation, and the share on test, looked at once.
  5. It names a limit (one training, one kind of cells, a threshold that must be chosen anew) and compares
     the price with that of border weights.""",
)
def q6(answer):
    p, cells, best_threshold, found_on_test, report = answer
    grid = np.round(np.arange(0.05, 1, 0.05), 2)
    shares = [_share_found(p["val"] > t, cells["val"].instances) for t in grid]
    yield Case(
        "`best_threshold`", lambda: best_threshold, "a number between 0 and 1",
        right=lambda t: 0 < float(t) < 1,
    )
    yield Case(
        "`best_threshold`, the share of validation cells that it finds",
        lambda: _share_found(p["val"] > best_threshold, cells["val"].instances) >= 0.98 * max(shares),
        "nearly as many as the best of the nineteen thresholds find",
        "Take the threshold where the validation curve is highest.", right=bool,
    )
    yield Case(
        "`found_on_test`, at best_threshold",
        lambda: abs(
            float(found_on_test) - _share_found(p["test"] > best_threshold, cells["test"].instances)
        ) < 0.002,
        "share_found(p['test'] > best_threshold, cells['test'].instances)",
        "Is it the test pictures' share, and a share between 0 and 1?", right=bool,
    )
    yield Case(
        "the report", lambda: report, "three sentences or more, 40 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 40,
    )
