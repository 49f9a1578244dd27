"""Questions on lecture 09: SegNet."""

import keras
import numpy as np

from course_utils import losses, metrics
from course_utils.exercises import Case, in_float32, question


@question(
    "Cut the map into its four windows: 1 4 / 3 4, then 0 2 / 5 1, then 0 0 / 2 0, then 6 6 / 7 1. In each, "
    "number the pixels 0, 1 / 2, 3.",
    "A map of 96×64 with 32 channels has 96·64·32 numbers, and a quarter as many windows. A copy takes 32 "
    "bits for a number, a place takes 2 bits for a window. A byte has 8 bits.",
    done="Right. 1 : 64, as in the lecture: 2 bits for a window, against four numbers of 32 bits.",
)
def q1(answer):
    places, bytes_of_copies, bytes_of_places = answer
    yield Case(
        "`places`", lambda: places, [[1, 2], [2, 2]],
        "Window by window: 1 4 / 3 4 has its 4 at 1 and at 3, and the first counts; 5, 2 and 7 stand below, "
        "on the left, which is 2.",
    )
    yield Case(
        "`bytes_of_copies`", lambda: bytes_of_copies, 786_432,
        "96 · 64 · 32 numbers of 4 bytes, before pooling.",
    )
    yield Case(
        "`bytes_of_places`", lambda: bytes_of_places, 12_288,
        "A quarter as many places as numbers; 2 bits each; 8 bits to a byte.",
    )


def _unpooled(values, places):
    values, places = np.asarray(values), np.asarray(places)
    b, h, w, c = values.shape
    x = np.zeros((b, 2 * h, 2 * w, c), "float32")
    n, i, j, k = np.indices(values.shape)
    x[n, 2 * i + places // 2, 2 * j + places % 2, k] = values
    return x


@question(
    "Make a mask first: chosen[b, i, j, p, c] is True where places[b, i, j, c] == p, for p = 0 … 3. "
    "ops.where(chosen, values[:, :, :, None], 0.0) is then (B, h, w, 4, C).",
    "The 4 is a window's rows and columns, 2 and 2. Reshape to (B, h, w, 2, 2, C), bring the axes into the "
    "order (B, h, 2, w, 2, C) with ops.transpose(x, (0, 1, 3, 2, 4, 5)), and reshape once more.",
    done="Right. Four maps, two channels with places of their own, and the gradient comes back.",
)
def q2(unpool):
    def run(values, places):
        values, places = np.asarray(values, "float32"), np.asarray(places, "int32")
        got = unpool(keras.ops.convert_to_tensor(values), keras.ops.convert_to_tensor(places))
        return keras.ops.convert_to_numpy(got)

    def maps(array):  # (h, w) as a batch with one channel
        return np.asarray(array)[None, ..., None]

    yield Case(
        "one value, 5, and place 2: the shape", lambda: np.shape(run(maps([[5]]), maps([[2]]))), (1, 2, 2, 1),
        "Twice as high and wide.",
    )
    for place in range(4):
        yield Case(
            f"one value, 5, and place {place}", lambda p=place: run(maps([[5]]), maps([[p]]))[0, ..., 0],
            _unpooled(maps([[5.0]]), maps([[place]]))[0, ..., 0],
            "Places count row by row: 0 and 1 above, 2 and 3 below.",
        )
    values, places = maps([[1, 2], [3, 4]]), maps([[0, 3], [2, 1]])
    yield Case(
        "values 1 2 / 3 4 and places 0 3 / 2 1", lambda: run(values, places)[0, ..., 0],
        _unpooled(values, places)[0, ..., 0],
        "Before the last reshape the axes must stand in the order B, h, 2, w, 2, C: a row of the large map "
        "runs through all windows beside each other.",
    )
    wide, its = maps([[1, 2, 3]]), maps([[3, 0, 2]])
    yield Case(
        "a map wider than high, values 1 2 3 and places 3 0 2", lambda: run(wide, its)[0, ..., 0],
        _unpooled(wide, its)[0, ..., 0], "Are h and w where they belong?",
    )
    two = np.array([5.0, 7.0]).reshape(1, 1, 1, 2)
    yield Case(
        "one window, two channels: 5 at place 0 and 7 at place 3, the second channel",
        lambda: run(two, np.array([0, 3]).reshape(1, 1, 1, 2))[0, ..., 1], [[0, 0], [0, 7]],
        "Every channel has places of its own.",
    )
    rng = np.random.default_rng(0)
    v, q = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 4, (2, 3, 4, 5))
    yield Case("random values and places (2, 3, 4, 5)", lambda: run(v, q), _unpooled(v, q))
    yield Case(
        "a factor in front of your function, trained for twenty steps to make the unpooled map vanish",
        lambda: _learned_scale(unpool, values.astype("float32"), places.astype("int32")), 0.0,
        "The gradient must come back through your function: keras.ops alone, no NumPy inside, and sizes from "
        "ops.shape, for in training the number of pictures is not known beforehand.",
        tolerance=0.05,
    )


class _Scaled(keras.layers.Layer):
    """A learned factor in front of the student's function."""

    def __init__(self, unpool):
        super().__init__(dtype="float32")
        self.unpool = unpool

    def build(self, shapes):
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, inputs):
        values, places = inputs
        return self.unpool(values * self.factor, places)

    def compute_output_spec(self, inputs):
        b, h, w, c = inputs[0].shape
        return keras.KerasTensor((b, 2 * h, 2 * w, c), "float32")


def _learned_scale(unpool, values, places):
    """A factor of 1 that is trained to make the unpooled map vanish: what is left of it."""
    layer = _Scaled(unpool)
    shape = values.shape[1:]
    inputs = [keras.Input(shape, dtype="float32"), keras.Input(shape, dtype="int32")]
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    target = np.zeros((1, 2 * shape[0], 2 * shape[1], shape[2]), "float32")
    model.fit([values, places], target, epochs=20, verbose=0)
    return float(keras.ops.convert_to_numpy(layer.factor))


@question(
    "The window (i, j) begins at row 2i and column 2j of the large map. Place 2a + b lies a rows below and b "
    "columns to the right: a = places // 2, b = places % 2.",
    "The large map is 2w wide, so row r and column c have the number r · 2w + c.",
    done="Right. Five maps, three of them wider than high and one higher than wide.",
)
def q3(to_plane):
    for name, places, remark in (
        (
            "one window, place 3", [[3]],
            "A map of 2×2: its pixels have the numbers 0 to 3; a large row has 2w pixels.",
        ),
        ("places 0 0, a map of 2×4", [[0, 0]], "The second window begins in column 2."),
        ("places 2 1, a map of 2×4", [[2, 1]], "A large row has 2w pixels; place 2 is one row down."),
        ("places 0 / 3, a map of 4×2", [[0], [3]], "The second window begins in row 2."),
        ("places 1 2 0 / 3 0 1, a map of 4×6", [[1, 2, 0], [3, 0, 1]], ""),
    ):
        places = np.array(places)
        h, w = places.shape
        rows, columns = np.indices((h, w))
        expected = (2 * rows + places // 2) * 2 * w + 2 * columns + places % 2
        yield Case(name, lambda p=places: to_plane(p.copy()), expected, remark)


@question(
    "Pad the region with a border of False; then p[:-2, 1:-1], p[2:, 1:-1], p[1:-1, :-2] and p[1:-1, 2:] are "
    "the neighbours above, below, left and right. An outline pixel is in the region, and not all four are.",
    "With the outlines' places as (n, 2) and (m, 2), np.linalg.norm(a[:, None] - b[None], axis=-1) holds all "
    "distances, (n, m). Precision needs the smallest in each row, recall the smallest in each column.",
    done="Right. Seven pairs of regions: with insides, at the picture's edge, with and without tolerance, "
    "and one pair that never meets.",
)
def q4(boundary_f1):
    def row(*columns):
        region = np.zeros((1, 8), bool)
        region[0, list(columns)] = True
        return region

    def square(top, left, side, size=12):
        region = np.zeros((size, size), bool)
        region[top : top + side, left : left + side] = True
        return region

    for name, said, truth, tolerance, remark in (
        (
            "a row: 1, 2, 3 predicted, 1, 2, 3 true, tolerance 0", row(1, 2, 3), row(1, 2, 3), 0,
            "A distance that equals the tolerance is within it: 0 ≤ 0.",
        ),
        (
            "a row: 3, 4, 5, 6 predicted, 2, 3, 4 true, tolerance 0", row(3, 4, 5, 6), row(2, 3, 4), 0,
            "Precision 2/4, recall 2/3. In a row of height 1 every pixel of a region is outline.",
        ),
        (
            "the same with tolerance 1", row(3, 4, 5, 6), row(2, 3, 4), 1,
            "Now 5 counts too, and 2 is found: 3/4 and 1.",
        ),
        (
            "a square of 5×5 predicted, the same without its middle pixel true, tolerance 0",
            square(3, 3, 5), square(3, 3, 5) & ~square(5, 5, 1), 0,
            "A hole has an outline too, and the inside of a square has none: 16 predicted outline pixels, 20 "
            "true ones. Diagonal neighbours do not count.",
        ),
        (
            "a square of 5×5 at the picture's corner predicted, one of 4×4 there true, tolerance 0",
            square(0, 0, 5), square(0, 0, 4), 0,
            "Beyond the picture's edge is outside, so pixels at the edge are outline.",
        ),
        (
            "a square of 6×6 predicted, and moved one down and one to the right true, tolerance 1",
            square(2, 2, 6), square(3, 3, 6), 1, "Distances are Euclidean: a diagonal step is 1.41, not 1.",
        ),
        (
            "two squares far apart, tolerance 1", square(0, 0, 2), square(8, 8, 3), 1,
            "Precision and recall are both 0, and so is the score; mind 0 / 0.",
        ),
    ):
        yield Case(
            name, lambda a=said, b=truth, t=tolerance: boundary_f1(a.copy(), b.copy(), t),
            metrics.boundary_f1(said, truth, tolerance), remark, tolerance=1e-6,
        )


def _curves_before_blotches(count, seed):
    """Pictures (N, 16, 16, 1) of blotches and thin curves, and masks of the curves outside the blotches."""
    rng = np.random.default_rng(seed)
    pictures, masks = np.zeros((count, 16, 16)), np.zeros((count, 16, 16), "uint8")
    along = np.arange(16)
    for picture, mask in zip(pictures, masks, strict=True):
        blotch = np.zeros((16, 16), bool)
        for _ in range(2):
            top, left = rng.integers(0, 12, 2)
            blotch[top : top + rng.integers(4, 6), left : left + rng.integers(4, 6)] = True
        across = rng.uniform(3, 13) + rng.uniform(0, 3) * np.sin(along / 3 + rng.uniform(0, 6))
        across = np.clip(np.round(across), 0, 15).astype(int)
        places = (along, across) if rng.random() < 0.5 else (across, along)
        picture[blotch], picture[places] = 0.7, 0.7
        mask[places] = 1
        mask[blotch] = 0
    pictures += rng.normal(0, 0.05, pictures.shape)
    return np.clip(pictures, 0, 1)[..., None].astype("float32"), masks


def _poolings(model):
    """What the layers with two outputs, values and whole numbers, give: [(values, places), …] in order."""
    found = []
    for layer in model.layers:
        output = layer.output
        if isinstance(output, (list, tuple)) and len(output) == 2 and "int" in str(output[1].dtype):
            found.append(tuple(output))
    return found


def _cut(model):
    """Pictures → [bottom, places, places], and from there → logits, or None where more goes across."""
    poolings = _poolings(model)
    needed = [poolings[-1][0], *(places for _, places in poolings)]
    try:
        return keras.Model(model.input, needed), keras.Model(needed, model.output)
    except (ValueError, KeyError):  # something else than these is needed
        return None


@question(
    "Two loops, as in the lecture's listing: down, keeping the places in a list; up, taking them out of it "
    "in reverse order. What is unpooled must have as many channels as its places.",
    "Widths of 16 and 24: two convolutions before each pooling, one at the bottom, one behind each "
    "unpooling, with batch normalisation (momentum 0.9, for the training is short): about 23,000 parameters. "
    "keras.Input((None, None, 1)) leaves height and width open; the last layer is a Conv2D without an "
    "activation.",
    done="Right. Any size, few parameters, logits, nothing but places across, and thin curves found because "
    "of them.",
)
def q5(make_segnet):
    make_segnet = in_float32()(make_segnet)
    yield Case(
        "num_classes = 2", lambda: make_segnet(2), "a Keras model",
        right=lambda model: isinstance(model, keras.Model),
    )
    keras.utils.set_random_seed(0)
    model = make_segnet(2)
    yield Case(
        "num_classes = 2, the number of parameters", model.count_params, "at most 25,000",
        "Widths of 16 and 24 are enough.", right=lambda count: count <= 25_000,
    )
    for shape in ((1, 16, 16, 1), (2, 8, 20, 1)):
        yield Case(
            f"pictures {shape}: the shape of the logits",
            lambda s=shape: model.predict(np.zeros(s, "float32"), verbose=0).shape, (*shape[:3], 2),
            "As high and wide as the picture, num_classes channels, for any size that 4 divides.",
        )
    yield Case(
        "num_classes = 5, the channels of the logits",
        lambda: make_segnet(5).output_shape[-1], 5,
        "The argument sets the last layer's filters.",
    )
    yield Case(
        "num_classes = 2, the poolings that give places", lambda: len(_poolings(model)), 2,
        "Down twice: MaxPoolingWithIndices2D gives values and places.",
    )
    yield Case(
        "num_classes = 2, what goes across beside the bottom and the places",
        lambda: "nothing" if _cut(model) else "a map of the way down", "nothing",
    )
    pictures, masks = _curves_before_blotches(512, seed=0)
    held_out, truth = _curves_before_blotches(100, seed=1)
    model.compile(keras.optimizers.Adam(5e-3), losses.CrossEntropy())
    model.fit(pictures, masks, batch_size=16, epochs=12, verbose=0)
    logits = model.predict(held_out, verbose=0)

    def f1(logits):
        return metrics.scores(metrics.confusion_matrix(truth, logits.argmax(axis=-1), 2)).f1[1]

    yield Case(
        "unseen curves, the logits", lambda: [logits.min() < 0, logits.max() > 1],
        "numbers below 0 and above 1", "Is there an activation behind the last layer? Logits have none.",
        right=all,
    )
    yield Case(
        "unseen curves, their F1 after a short training", lambda: f1(logits), "at least 0.75",
        "Is each level unpooled by the places of its own size, and are there convolutions behind it that "
        "fill the holes?",
        right=lambda score: score >= 0.75,
    )
    down, up = _cut(model)
    for level in (1, 2):
        needed = down.predict(held_out, verbose=0)
        needed[level] = np.random.default_rng(0).integers(0, 4, needed[level].shape).astype("int32")
        yield Case(
            f"unseen curves, by how much random places at level {level} lower the F1",
            lambda n=needed: f1(logits) - f1(up.predict(n, verbose=0)), "at least 0.02",
            "Are these places used on the way up?", right=lambda fall: fall >= 0.02,
        )


@question(
    "For one level: draw new places with rng.integers(0, 4, shape), and take them where rng.random(shape) is "
    "below the share, else the right ones. Copy the list, so that the next share begins with right places.",
    "half_share: middle = (curve[0] + curve[-1]) / 2, then the first share at which the curve is at or below "
    "it. Only then look at carried['test'].",
    done="""Your numbers hold and your report is there. Now hold the report against this rubric, a point each:
  1. Its first sentence is the expectation, for level and shape, and the report says whether it came true.
  2. It says why a false place at level 1 costs outlines: it moves a stroke by a pixel at full size.
  3. It says why a few false places cost little: channels and neighbouring pixels vote.
  4. It quotes half_share, both ends of both curves, and the score on test, looked at once.
  5. It names a limit: one training, ink against ground only, and a quarter of random places is right by
     chance.""",
)
def q6(answer):
    curves, half_share, test_score, report = answer
    shares = np.round(np.arange(0, 1.01, 0.1), 1)
    for name in ("level 1", "level 2"):
        yield Case(
            f"`curves[{name!r}]`", lambda n=name: curves[n], "eleven scores between 0 and 1",
            "One for each share from 0 to 1.",
            right=lambda c: len(c) == 11 and min(c) >= 0 and max(c) <= 1,
        )
    start, end = (curves["level 1"][i] for i in (0, -1))
    yield Case(
        "both curves at share 0", lambda: curves["level 1"][0] - curves["level 2"][0], 0.0,
        "With no false place both curves begin at the same score. Is the list of carried arrays copied, so "
        "that false places do not stay in it?",
    )
    yield Case(
        "`curves['level 1']`, its fall from share 0 to share 1", lambda: start - end, "above 0",
        "Were the places of level 1 replaced, carried['val'][1]?", right=lambda fall: fall > 0,
    )
    reached = np.asarray(curves["level 1"]) <= (start + end) / 2
    yield Case(
        "`half_share`", lambda: half_share, float(shares[np.argmax(reached)]),
        "The first share at which the curve of level 1 is at or below the middle of its two ends.",
        hidden=True,
    )
    yield Case(
        "`test_score`", lambda: test_score, "a score near those of the curve of level 1",
        "The outline F1 on test, with half_share of the places of level 1 drawn at random.",
        right=lambda s: end - 0.1 <= float(s) <= start + 0.1,
    )
    yield Case(
        "the report", lambda: report, "three sentences or more, 40 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 40,
    )
