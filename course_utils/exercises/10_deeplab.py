"""Questions on lecture 10: atrous convolution, random fields, separable convolution, v3's pyramid."""

import keras
import numpy as np
from keras import layers

from course_utils.crf import dense_crf
from course_utils.exercises import Case, in_float32, question
from course_utils.metrics import boundary_f1


@question(
    "Rate 3: the first output takes places 0, 3 and 6 of the row. As many outputs as there are starts for "
    "which the last tap is still inside.",
    "A layer of k taps and rate r widens the field by (k - 1) · r, times the strides before it; start at 1.",
    done="Right: the taps are three apart, and the fields add up.",
)
def q1(answer):
    first, outputs, field = answer
    yield Case(
        "the first output at rate 3", lambda: first, 7,
        "Places 0, 3 and 6 hold 2, 4 and 1; each is multiplied by its own weight (no flipping).",
    )
    yield Case(
        "how many outputs at rate 3", lambda: outputs, 2,
        "The three taps span 1 + 2 · 3 places of the eight.",
    )
    yield Case(
        "the field of 3×3 layers with rates 1, 2, 6, the first with stride 2", lambda: field, 35,
        "The first adds 2 · 1. Behind its stride one place is 2 pixels: the second adds 2 · 2 · 2.",
    )


def _separable(x, depthwise, pointwise, r):
    layer = layers.SeparableConv2D(
        pointwise.shape[1], depthwise.shape[:2], dilation_rate=r, use_bias=False, dtype="float32"
    )
    layer.build((None, *x.shape))
    layer.set_weights([depthwise[..., None], pointwise[None, None]])
    return keras.ops.convert_to_numpy(layer(np.float32(x)[None]))[0]


@question(
    "First look around: for each tap (a, b) take the shifted picture x[r·a : r·a + h, r·b : r·b + w], times "
    "depthwise[a, b], which is one number a channel; add them up. h and w are what is left without padding.",
    "h = H - r · (taps - 1), and w likewise. Then mix: (h, w, C) @ (C, F). Taps that are r apart span "
    "1 + r · (taps - 1) places.",
    done="Right. Five cases, with rates 1 to 3, several channels, and a filter that is not square.",
)
def q2(separable):
    rng = np.random.default_rng(0)
    ramp = np.arange(9.0).reshape(3, 3, 1)
    corner = np.zeros((2, 2, 1))
    corner[1, 1] = 1
    two = np.stack([np.ones((3, 3)), np.full((3, 3), 10.0)], axis=-1)
    ones = np.ones((1, 1))
    wide = rng.integers(0, 5, (7, 8, 3)).astype(float)
    kernel, mix = rng.integers(-2, 3, (3, 2, 3)).astype(float), rng.integers(-2, 3, (3, 4)).astype(float)
    for name, x, depthwise, pointwise, r, remark in (
        (
            "a 3×3 picture 0 … 8, a 2×2 filter with its only 1 in the last corner, rate 1",
            ramp, corner, ones, 1, "Without padding two taps leave 3 - 1 places in each direction, and tap "
            "(1, 1) of the first output looks at row 1, column 1. (No flipping.)",
        ),
        (
            "the same filter at rate 2", ramp, corner, ones, 2,
            "Tap (1, 1) is now two rows down and two columns to the right. Taps r apart span "
            "1 + r · (taps − 1) places, here all three: there is one output.",
        ),
        (
            "two channels of ones and of tens, depthwise all 1, pointwise [[1], [0]]",
            two, np.ones((2, 2, 2)), np.array([[1.0], [0.0]]), 1,
            "Each channel is filtered by itself, and mixed only afterwards.",
        ),
        ("7×8 with three channels, a filter of 3×2, four outputs, rate 2", wide, kernel, mix, 2,
         "Height and width differ, of the picture and of the filter."),
        ("the same at rate 3", wide, kernel, mix, 3, ""),
    ):
        yield Case(
            name, lambda x=x, d=depthwise, p=pointwise, r=r: separable(x.copy(), d.copy(), p.copy(), r),
            _separable(x, depthwise, pointwise, r), remark,
        )


def _seen(rates):
    paths = np.ones(1, int)
    for r in rates:
        taps = np.zeros(1 + 2 * r, int)
        taps[::r] = 1
        paths = np.convolve(paths, taps)
    return len(paths), np.count_nonzero(paths)


@question(
    "The span is 1 + 2 · (sum of the rates). For what is seen, collect offsets: start with {0}; each layer "
    "replaces every offset o by o - r, o, o + r.",
    "A set forgets doubles by itself: seen = {o + step for o in seen for step in (-r, 0, r)}.",
    done="Right. Eight stacks, four of them with gaps.",
)
def q3(field):
    for rates, remark in (
        ((1,), "One layer of three taps."),
        ((3,), "Three taps, three apart: they span seven places and look at three."),
        ((1, 1), "Two paths may end at one place; it is seen once."),
        ((2, 2), "Every path has an even length: which places are never looked at?"),
        ((2, 3), "No common factor, and still a gap: which places are no sum of -2, 0 or 2 and -3, 0 or 3?"),
        ((1, 2, 4), "No gap here."),
        ((2, 4, 8), "All rates are even."),
        ((1, 2, 5, 9), "Count the places, not the paths."),
    ):
        yield Case(
            f"rates {rates}, (span, places seen)", lambda rates=rates: field(rates),
            np.array(_seen(rates)), remark,
        )


def _step(p, q, affinity, omega):
    d = affinity.sum(axis=1)
    heard = omega * (affinity / np.sqrt(d[:, None] * d[None])) @ q
    scores = np.log(p) + heard
    scores -= scores.max(axis=1, keepdims=True)
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@question(
    "heard = omega · (A / √(D_i D_j)) @ q, shape (N, K); the new q is p · exp(heard), made to sum to 1 in "
    "each row.",
    "D = affinity.sum(axis=1); np.sqrt(D[:, None] * D[None, :]) is the matrix of √(D_i D_j). The network's "
    "p stays in every step, q is what the pixels believe now. With a large omega, take the row's largest "
    "score off before np.exp.",
    done="Right. Five cases: no tie, the lecture's four pixels, a second step, uneven ties, a strong field.",
)
def q4(mean_field_step):
    same = np.kron(np.eye(2), np.ones((2, 2)))
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.1, 0.9]])
    after_one = _step(p, p, same, 2.0)
    uneven = np.exp(-0.5 * np.subtract.outer(np.arange(4), np.arange(4)) ** 2 / 2.0)
    three = np.random.default_rng(0).dirichlet(np.ones(3), 4)
    for name, arguments, remark in (
        ("omega = 0", (p, p, same, 0.0), "Nobody listens: what is left is the network's p."),
        (
            "the lecture's four pixels, omega = 2", (p, p, same, 2.0),
            "Do you divide by √(D_i D_j)? Does a pixel hear itself, too (j = i)? What it hears speaks for a "
            "class; and every row sums to 1.",
        ),
        (
            "its second step, q from the first", (p, after_one, same, 2.0),
            "Pixels listen to q; the network's p is multiplied anew in every step, not replaced.",
        ),
        ("uneven ties, three classes", (three, three, uneven, 3.0),
         "D differs from pixel to pixel: both D_i and D_j go under the root."),
        ("omega = 2000", (p, p, same, 2000.0),
         "exp(1300) is infinite: work with log p + heard, and take the row's largest off before np.exp."),
    ):
        yield Case(
            name, lambda a=arguments: mean_field_step(*(np.copy(x) for x in a)), _step(*arguments), remark,
        )


def _reach(model, shape, change=3.0):
    """Which places of the map change when the number in its first corner does: bool (h, w)."""
    maps = np.random.default_rng(0).normal(size=(1, *shape)).astype("float32")
    moved = maps.copy()
    moved[0, 0, 0] += change
    change = model.predict(moved, verbose=0) - model.predict(maps, verbose=0)
    return np.abs(change[0]).max(axis=-1) > 1e-5


@question(
    "A list of branches, each with `filters` channels: a 1×1 convolution, a 3×3 with dilation_rate=r and "
    "padding=\"same\" for each rate, and the mean of the map. Then Concatenate and a 1×1 convolution.",
    "layers.GlobalAveragePooling2D(keepdims=True) gives (B, 1, 1, C); a 1×1 convolution, then "
    "layers.UpSampling2D((h, w)) puts it at every place. No activations, no normalisation: linear will do.",
    done="Right. Your pyramid sees near, at its rates, and the whole map.",
)
def q5(make_pyramid):
    make_pyramid = in_float32()(make_pyramid)
    shape, filters, rates = (9, 9, 4), 6, (2, 3)
    keras.utils.set_random_seed(0)
    built = []
    yield Case(
        "maps (9, 9, 4), 6 filters, rates (2, 3)",
        lambda: built.append(make_pyramid(shape, filters, rates)) or built[0],
        "a Keras model", right=lambda model: isinstance(model, keras.Model),
    )
    model = built[0]
    maps = np.zeros((2, *shape), "float32")
    yield Case(
        "two such maps, the shape that comes out", lambda: model.predict(maps, verbose=0).shape,
        (2, 9, 9, 6), "Height and width stay; the last convolution has `filters` outputs.",
    )
    kernels = [w.shape for w in model.trainable_variables if len(w.shape) == 4]
    expected = 1 * 1 * 4 * 6 + 2 * 3 * 3 * 4 * 6 + 1 * 1 * 4 * 6 + 1 * 1 * 24 * 6
    yield Case(
        "the number of weights in kernels", lambda: sum(int(np.prod(k)) for k in kernels), expected,
        "1×1, two 3×3, a 1×1 behind the mean, each with 6 filters; then a 1×1 on the 24 concatenated "
        "channels (added branches would leave 6).",
    )
    yield Case(
        "a change in one corner, how many of the 81 places notice", lambda: int(_reach(model, shape).sum()),
        81, "The mean of the map changes, and it stands at every place. Does it reach the output?",
    )
    yield Case(
        "a corner made smaller, how many of the 81 places notice",
        lambda: int(_reach(model, shape, -3.0).sum()), 81,
        "A mean notices every number; a maximum only the largest.",
    )
    zeroed = [np.zeros_like(w) if w.ndim == 4 and w.shape[:2] == (1, 1) and w.shape[2] == 4 else w
              for w in model.get_weights()]  # fmt: skip
    model.set_weights(zeroed)
    places = np.zeros((9, 9), bool)
    for r in rates:
        places[0 : r + 1 : r, 0 : r + 1 : r] = True
    yield Case(
        "the branches with holes alone (the other two set to 0), the places that notice the corner",
        lambda: _reach(model, shape).astype(int), places.astype(int),
        "A 3×3 filter of rate r takes the corner to places 0 and r in each direction. Is dilation_rate set, "
        "one branch for each rate?",
    )


def disc(contrast, seed):
    """A grey picture (32, 32, 1) of a disc that is lighter than its ground, the disc, and a blurred guess."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32] - 15.5 + rng.uniform(-4, 4, (2, 1, 1))
    inside = y**2 + x**2 < 64
    picture = 0.4 + contrast * inside + rng.normal(0, 0.08, (32, 32))
    cells = inside.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    guess = np.clip(np.kron(cells, np.ones((4, 4))), 0.1, 0.9)
    return np.clip(picture, 0, 1)[..., None], inside, np.stack([1 - guess, guess], axis=-1)


def gains(contrasts, colour_sigma=0.1, seeds=range(5)):
    """Mean gain in the F1 of the disc's outline by the random field, for each contrast."""
    result = []
    for contrast in contrasts:
        gain = []
        for seed in seeds:
            picture, inside, p = disc(contrast, seed)
            q = dense_crf(p, picture, iterations=5, colour_sigma=colour_sigma)
            before, after = (boundary_f1(m.argmax(-1) == 1, inside) for m in (p, q))
            gain.append(after - before)
        result.append(float(np.mean(gain)))
    return result


CONTRASTS = (0.0, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5)


@question(
    "For each contrast and each of five seeds: dense_crf(p, picture, iterations=5, colour_sigma=0.1), then "
    "boundary_f1 of (probabilities > ½) against the disc, after minus before. Average over the seeds.",
    "Compare the contrast with the noise (0.08) and with colour_sigma: when are two pixels of the disc more "
    "alike than a pixel of the disc and one of the ground?",
    done="""Your numbers hold and your report is there. Now hold the report against this rubric, a point each:
  1. It names the gain at the strongest contrast and at none, and the contrast from which the field helps.
  2. It says why: where disc and ground are alike, the field ties them together and votes.
  3. It says what happens without any contrast, and that this is harm, not only no help.
  4. It compares the contrast with the noise or with colour_sigma, and says what another setting might do.
  5. It names a limit: one shape, one guess, five seeds; real pictures have more than one contrast.""",
)
def q6(answer):
    gain, helps_from, report = answer
    expected = gains(CONTRASTS)
    yield Case(
        "`gain`", lambda: np.shape(gain), (len(CONTRASTS),), "One mean gain for each contrast, in order.",
    )
    yield Case(
        "`gain`", lambda: np.asarray(gain, float), np.array(expected),
        "After minus before, the mean over the five seeds; five iterations, colour_sigma 0.1, outlines to a "
        "pixel.", tolerance=0.02, hidden=True,
    )
    above = [c for c, g in zip(CONTRASTS, expected, strict=True) if g > 0]
    yield Case(
        "`helps_from`", lambda: helps_from, min(above),
        "The smallest contrast of the list with a gain above 0.", hidden=True,
    )
    yield Case(
        "the report", lambda: report, "three sentences or more, 30 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 30,
    )
