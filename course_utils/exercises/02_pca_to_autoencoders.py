"""Questions on lecture 02: principal components and autoencoders."""

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from course_utils.exercises import Case, in_float32, question


@question(
    "Write the four pictures as dots in the plane, the first pixel to the right, the second up. "
    "Along which line do they lie most spread out?",
    "The direction is (1, 1) shortened to length 1. To describe a dot by its place on that line is to "
    "drop its distance from the line: square these four distances and average them.",
    done="Right. The direction may point either way, and the error is the variance across the line.",
)
def q1(answer):
    direction, error = answer

    def unit(vector):
        vector = np.asarray(vector, float)
        return vector.shape == (2,) and np.isclose(np.linalg.norm(vector), 1, atol=1e-3)

    yield Case("`direction`", lambda: direction, "two numbers, a vector of length 1", right=unit)
    yield Case(
        "`direction`",
        lambda: direction,
        "the line along which the four dots spread most",
        "Compare the spread along the line with the spread across it.",
        right=lambda v: np.isclose(abs(np.dot(v, [1, 1])) / np.sqrt(2), 1, atol=1e-3),
    )
    yield Case(
        "`error`",
        lambda: error,
        "the mean over the four pictures of the squared distance from the line",
        "The error of one picture is the sum over both its pixels, not their mean; and it is what the line "
        "loses, not what it keeps.",
        right=lambda e: np.isclose(float(e), 2.0, atol=1e-3),
    )


def _projector(directions):
    directions = np.asarray(directions, float)
    return directions @ directions.T


@question(
    "Subtract the mean first. Then np.linalg.svd(centred, full_matrices=False) returns U, s, Vt; the "
    "principal directions are the rows of Vt, sorted by s.",
    "directions = Vt[:k].T has one column for each direction. The variances are proportional to s**2.",
    done="Right. Four data sets: off-centre dots, more pixels than pictures, and real digits.",
)
def q2(pca):
    dots = np.array([[2.0, 1], [1, 2], [-2, -1], [-1, -2]])
    shifted = dots + np.array([10, 0])
    few = np.random.default_rng(0).normal(size=(5, 12))
    digits = load_digits().data[:300] / 16
    for name, pictures, k in (
        ("the four dots of the lecture, k = 1", dots, 1),
        ("the four dots moved 10 to the right, k = 1", shifted, 1),
        ("5 pictures of 12 pixels, k = 3", few, 3),
        ("300 digits, k = 10", digits, 10),
    ):
        size = pictures.shape[1]
        true = PCA(k).fit(pictures)
        yield Case(
            f"{name}: what comes back", lambda x=pictures, k=k: pca(x.copy(), k),
            "three things, (mean, directions, kept)", right=lambda answer: len(answer) == 3,
        )
        yield Case(
            f"{name}: the mean", lambda x=pictures, k=k: pca(x.copy(), k)[0], pictures.mean(0),
            "One mean for each pixel: average over the pictures, axis 0.",
        )
        yield Case(
            f"{name}: the shape of the directions",
            lambda x=pictures, k=k: np.shape(pca(x.copy(), k)[1]), (size, k),
            "One column for each direction.",
        )
        yield Case(
            f"{name}: the plane that the directions span, as the matrix V Vᵀ",
            lambda x=pictures, k=k: _projector(pca(x.copy(), k)[1]),
            _projector(true.components_.T),
            "Did you centre the pictures before the decomposition, and keep the k largest (eigh sorts "
            "upwards)? Are the directions the first rows of Vt, turned into columns (not its first "
            "columns)?",
            tolerance=1e-3,
        )
        yield Case(
            f"{name}: kept", lambda x=pictures, k=k: pca(x.copy(), k)[2],
            float(true.explained_variance_ratio_.sum()),
            "A variance is the square of a singular value (over N); a share is out of all of them.",
            tolerance=1e-3,
        )


@question(
    "Make both bases orthonormal: np.linalg.qr(A) returns Q with the same span and orthonormal columns.",
    "The singular values of QaᵀQb are the cosines of the principal angles. Which cosine belongs to the "
    "largest angle? Clip it to 1 before np.arccos, and turn radians into degrees.",
    done="Right. Seven pairs of subspaces, some with bases that are neither orthogonal nor of length 1.",
)
def q3(largest_angle):
    e = np.eye(3)
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(6, 2))
    mixed = basis @ np.array([[1.0, 2], [0, 3]])
    line = "the line through (1, 0)"
    yield Case(
        f"{line} and itself", lambda: largest_angle(e[:2, :1], e[:2, :1]), 0.0, tolerance=0.1
    )
    yield Case(
        f"{line} and the line through (2, 2)",
        lambda: largest_angle(e[:2, :1], np.array([[2.0], [2.0]])), 45.0,
        "(2, 2) is longer than 1: a cosine needs vectors of length 1, and an angle here is in degrees.",
        tolerance=0.05,
    )
    yield Case(
        f"{line} and the line through (-1, 0)", lambda: largest_angle(e[:2, :1], -e[:2, :1]), 0.0,
        "A line has no front and back.", tolerance=0.1,
    )
    yield Case(
        "the x-y plane and the x-z plane in space", lambda: largest_angle(e[:, :2], e[:, [0, 2]]), 90.0,
        "They share a line (angle 0); the question asks for the largest angle.", tolerance=0.05,
    )
    yield Case(
        "a plane and itself in another basis", lambda: largest_angle(basis, mixed), 0.0,
        "The angle belongs to the planes, not to the bases you describe them with.", tolerance=0.1,
    )
    yield Case(
        "a plane in space and a line in it", lambda: largest_angle(e[:, :2], e[:, :1] + e[:, 1:2]), 0.0,
        "There are as many angles as the smaller of the two has columns.", tolerance=0.1,
    )
    other = rng.normal(size=(6, 2))
    cosines = np.linalg.svd(np.linalg.qr(basis)[0].T @ np.linalg.qr(other)[0])[1]
    yield Case(
        "two random planes in six dimensions", lambda: largest_angle(basis, other),
        float(np.rad2deg(np.arccos(cosines.min()))), tolerance=0.01,
    )


@question(
    "Σ p log(p / q), with the natural logarithm. Where p is 0 the term is 0, whatever q is.",
    "Sum only where p > 0, with p[p > 0] and q[p > 0]. A q of 0 there makes the sum infinite, as it should.",
    done="Right. Five pairs, one with an impossible event in p and one in q.",
)
def q4(kl_divergence):
    half, tail = [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]
    for p, q, expected, remark in (
        ([0.5, 0.5], [0.5, 0.5], 0.0, "Equal distributions are at distance 0."),
        (
            [0.5, 0.5], [0.25, 0.75], 0.5 * np.log(2) + 0.5 * np.log(2 / 3),
            "Which of the two weights the sum, p or q? And is the logarithm natural?",
        ),
        (half, tail, 0.25 * np.log(2), "Which of the two weights the sum?"),
        ([1.0, 0.0], [0.5, 0.5], np.log(2), "What should 0 · log 0 be?"),
        ([0.5, 0.5], [1.0, 0.0], np.inf, "q rules out what p expects: no number of questions will do."),
    ):
        yield Case(
            f"p = {p} and q = {q}",
            lambda p=p, q=q: kl_divergence(np.array(p), np.array(q)), expected, remark,
        )


def _splits():
    pictures = (load_digits().images / 16).astype("float32")[..., None]
    order = np.random.default_rng(0).permutation(len(pictures))
    return pictures[order[:1200]], pictures[order[1200:]]


def _moving_directions(model, pictures):
    """In how many directions a small change of the input can move the output, median over pictures."""
    step = 2e-3  # where a step crosses the kink of a ReLU, slopes mix: so small steps, and the median
    base = np.repeat(pictures, 64, axis=0)
    moved = base + step * np.tile(np.eye(64).reshape(64, 8, 8, 1), (len(pictures), 1, 1, 1))
    change = model.predict(moved, verbose=0) - model.predict(base, verbose=0)
    slopes = change.reshape(len(pictures), 64, 64) / step
    strengths = np.linalg.svd(slopes, compute_uv=False)
    return int(np.median((strengths > 0.05 * strengths[:, :1]).sum(axis=1)))


@question(
    "Flatten, one or two Dense layers with an activation, Dense(code) without one; then the same "
    "backwards, a Dense(64) and a Reshape((8, 8, 1)).",
    "Which half must bend to beat PCA: the encoder or the decoder? An activation on the last layer of "
    "the decoder, such as sigmoid, is allowed; one hidden layer of 128 ReLU units in each half will do.",
    done="Right. With two numbers a picture your network beats PCA by more than a tenth on digits that "
    "it has not seen.",
)
def q5(make_autoencoder):
    make_autoencoder = in_float32()(make_autoencoder)
    train, held_out = _splits()
    keras.utils.set_random_seed(0)
    built = []
    yield Case(
        "code = 2", lambda: built.append(make_autoencoder(2)) or built[0],
        "a Keras model", right=lambda answer: isinstance(answer, keras.Model),
    )
    model = built[0]
    yield Case(
        "code = 2, the number of parameters", model.count_params, "at most 20,000",
        "Smaller hidden layers will do.", right=lambda count: count <= 20_000,
    )
    yield Case(
        "code = 2, the shape of the output for 5 pictures",
        lambda: model.predict(held_out[:5], verbose=0).shape, (5, 8, 8, 1),
        "A picture goes in, a picture comes out.",
    )
    yield Case(
        "code = 2, in how many directions the output can move around a digit",
        lambda: _moving_directions(model, held_out[:15]), "at most 2",
        "Two numbers cannot steer more. Is there a way around the code?", right=lambda n: n <= 2,
    )
    model.compile(keras.optimizers.Adam(3e-3), loss="mse")
    model.fit(train, train, batch_size=25, epochs=40, verbose=0)
    flat, flat_held = train.reshape(-1, 64), held_out.reshape(-1, 64)
    pca = PCA(2).fit(flat)
    bar = np.mean((pca.inverse_transform(pca.transform(flat_held)) - flat_held) ** 2)
    yield Case(
        f"code = 2, the error on held-out digits after 40 epochs (PCA: {bar:.4f})",
        lambda: np.mean((model.predict(held_out, verbose=0) - held_out) ** 2), f"at most {0.9 * bar:.4f}",
        "Does the decoder have an activation between its layers, and the code itself none?",
        right=lambda e: e <= 0.9 * bar,
    )
    yield Case(
        "code = 7, in how many directions the output can move around a digit",
        lambda: _moving_directions(make_autoencoder(7), held_out[:15]), "more than 2",
        "The argument `code` must set the size of the code.", right=lambda n: n > 2,
    )


def _cleaning_errors():
    """Mean squared error on the sheet's own noisy validation digits, for k = 1 … 64."""
    digits = load_digits().data / 16
    noisy = digits + np.random.default_rng(1).normal(0, 0.25, digits.shape)
    pca = PCA().fit(digits[:1200])
    codes, V = pca.transform(noisy[1200:1500]), pca.components_
    rebuilt = (codes[:, :k] @ V[:k] + pca.mean_ for k in range(1, 65))
    return [float(np.mean((r - digits[1200:1500]) ** 2)) for r in rebuilt]


@question(
    "For each k from 1 to 64: fit PCA on the clean training digits, send the noisy validation digits "
    "through k components and back, and compare with the clean ones.",
    "The curve falls, turns and rises. best_k is where it is lowest on validation. In your report say "
    "what pulls it down on the left and what pushes it up on the right.",
    done="""Your number holds and your report is there. Now hold the report against this rubric, a point each:
  1. It names the k, the error there, and the error without any cleaning (k = 64 or the noisy picture).
  2. It says why few components lose: the digit itself does not fit into them.
  3. It says why many components lose: they let the noise through, equally much in every direction.
  4. k was chosen on validation digits, and the test error is quoted once, without choosing again.
  5. It names a limit: other noise, or other pictures, will want another k.""",
)
def q6(answer):
    best_k, error, report = answer
    errors = _cleaning_errors()
    yield Case(
        "`best_k`", lambda: best_k, "a whole number from 1 to 64",
        right=lambda k: isinstance(k, (int, np.integer)) and 1 <= k <= 64,
    )
    yield Case(
        f"best_k = {best_k}, the error that it leaves on validation",
        lambda: errors[int(best_k) - 1],
        f"within 2 % of the lowest, {min(errors):.4f}",
        "Is the error measured against the clean picture, and PCA fitted on clean training digits?",
        right=lambda e: e <= 1.02 * min(errors),
    )
    yield Case(
        "`error`, the error on validation at best_k", lambda: error, errors[int(best_k) - 1],
        "The mean over all pixels of all validation digits. (Is best_k one off, or this the test error?)",
        tolerance=2e-4, hidden=True,
    )
    yield Case(
        "the report", lambda: report, "three sentences or more, 30 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 30,
    )
