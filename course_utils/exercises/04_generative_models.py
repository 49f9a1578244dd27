"""Questions on lecture 04: Boltzmann machines, variational autoencoders, adversarial networks."""

import keras
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from course_utils.exercises import Case, question


@question(
    "Write a table: a row for each v = 00, 01, 10, 11, a column for h = 0 and for h = 1. Into each field 2 "
    "to the power of a·v + v·W·h + b·h, that is, of all biases and weights between units that are on.",
    "For v = (1, 0), h = 1 the exponent is -1 + 2 - 1 = 0, so the field is 1. Z is the sum of all eight "
    "fields. p(h = 1 | v) compares the two fields of one row only.",
    done="Right. Eight states, and everything about the machine is known.",
)
def q1(answer):
    p_hidden, Z, p_both = answer
    yield Case(
        "`Z`", lambda: Z, "the sum of 2^(-E) over all eight states",
        "The four pictures without the hidden unit count 1, 0.5, 0.5 and 0.25; what do they count with it?",
        right=lambda value: np.isclose(float(value), 5.25, atol=1e-3),
    )
    yield Case(
        "`p_hidden`", lambda: p_hidden, "2^x / (1 + 2^x) with x = b + the weights of the pixels that are on",
        "Given v, neither Z nor the bias of the pixels matters; and mind that the weights are in units of "
        "log 2, so it is 2^x, not e^x.",
        right=lambda value: np.isclose(float(value), 2 / 3, atol=1e-3),
    )
    yield Case(
        "`p_both`", lambda: p_both, "what v = (1, 1) counts, with h = 0 and h = 1 together, out of Z",
        "Add the two fields of its row before you divide.",
        right=lambda value: np.isclose(float(value), 1.25 / 5.25, atol=1e-3),
    )


def _machine(seed, pixels, units):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(pixels, units)), rng.normal(size=pixels), rng.normal(size=units)


@question(
    "p(h = 1 | v) = sigmoid(v @ W + b), for all pictures at once. A unit is on where a fresh random number "
    "from rng.random(shape) is smaller than its probability.",
    "Then the same downwards: sigmoid(h @ W.T + a), with the zeros and ones of h, not with their "
    "probabilities; and draw again.",
    done="Right. A machine that leaves no choice, one with two tempers, and a chain of 20,000 steps.",
)
def q2(gibbs_step):
    W = np.array([[40.0, 0], [40, 0], [0, 40], [0, 0]])  # unit 1 wants pixels 1 and 2, unit 2 wants pixel 3
    a, b = np.array([-20.0, -20, -20, 20]), np.array([-60.0, -20])  # pixel 4 is always on
    v = np.array([[1.0, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]])
    rng = np.random.default_rng

    def step(v, machine, seed=0):
        return gibbs_step(v.copy(), *machine, rng(seed))

    yield Case(
        "3 pictures of 4 pixels and 2 hidden units: the shape", lambda: np.shape(step(v, (W, a, b))), (3, 4),
        "A picture goes up to the hidden units, and a picture comes down.",
    )
    yield Case(
        "a machine that leaves no choice, v = 1100, 1011, 0000", lambda: step(v, (W, a, b)),
        np.array([[1.0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1]]),
        "Unit 1 comes on only if pixels 1 and 2 are both on, unit 2 if pixel 3 is; then the units that are "
        "on paint their pixels, and pixel 4 comes on by its bias alone. Did you use both biases, W upwards "
        "and W.T downwards, and is a unit on where the random number is *smaller* than its probability?",
    )
    moody = np.array([[4.0], [4]]), np.array([-2.0, -2]), np.array([-4.0])
    many = np.tile([[1.0, 0]], (20_000, 1))
    after = []

    def two_tempers():
        after[:] = [np.asarray(step(many, moody), float)]
        return np.unique(after[0])[:4]

    yield Case(
        "20,000 times v = 10 in another machine: which values come back", two_tempers, "only 0 and 1",
        "A Gibbs step returns drawn zeros and ones, not probabilities.",
        right=lambda values: set(values) <= {0.0, 1.0},
    )
    on, off = expit(2), expit(-2)
    yield Case(
        "the same, how often both pixels are on", lambda: np.mean(after[0].min(axis=1)),
        (on**2 + off**2) / 2,
        "The hidden unit is on in half of the cases, and then both pixels tend to be on together. Did you "
        "go down with its probability in place of a drawn 0 or 1?",
        tolerance=0.02,
    )
    machine = _machine(3, 2, 2)
    states = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    counts = np.exp(states @ machine[1] + np.logaddexp(0, states @ machine[0] + machine[2]).sum(axis=1))

    def chain():
        v, dice = np.tile(states, (250, 1)), rng(0)
        for _ in range(20):
            v = np.asarray(gibbs_step(v, *machine, dice), float)
        return np.bincount((v @ [2, 1]).astype(int), minlength=4) / len(v)

    yield Case(
        "1000 chains of 20 steps in a random machine: how often 00, 01, 10, 11", chain, counts / counts.sum(),
        "Each chain goes on from its last picture. Does every step take new numbers from rng?",
        tolerance=0.06,
    )


@question(
    "What goes together: v.T @ p(h = 1 | v), with the probabilities, divided by the number of pictures.",
    "The slope is that for the pictures minus that for the dreams, each divided by its own number of rows.",
    done="Right. A pencil case, more dreams than pictures, and equal pictures and dreams.",
)
def q3(slope):
    W, b = np.array([[0.0], [0]]), np.array([0.0])
    v0, v1 = np.array([[1.0, 1], [1, 0]]), np.array([[0.0, 1], [0, 0]])
    yield Case(
        "v0 = 11 and 10, v1 = 01 and 00, one hidden unit, W = 0, b = 0", lambda: slope(v0, v1, W, b),
        np.array([[0.5], [0.0]]),
        "Every p(h = 1 | v) is 1/2 here. Pixel 1 is on in both pictures and no dream: (1/2 + 1/2)/2 - 0. Is "
        "it the mean over pictures, and pictures minus dreams?",
    )
    yield Case(
        "the same with every dream twice", lambda: slope(v0, np.concatenate([v1, v1]), W, b),
        np.array([[0.5], [0.0]]),
        "Divide each part by its own number of rows: twice the dreams are the same mean.",
    )
    W, _, b = _machine(1, 4, 3)
    rng = np.random.default_rng(2)
    v0, v1 = rng.integers(0, 2, (5, 4)).astype(float), rng.integers(0, 2, (7, 4)).astype(float)
    true = v0.T @ expit(v0 @ W + b) / 5 - v1.T @ expit(v1 @ W + b) / 7
    yield Case(
        "random pictures and dreams of 4 pixels, 3 hidden units", lambda: slope(v0, v1, W, b), true,
        "A row for each pixel, a column for each hidden unit; probabilities sigmoid(v @ W + b), with the "
        "bias, and no dice.",
    )
    yield Case(
        "dreams that equal the pictures", lambda: slope(v0, v0, W, b), np.zeros((4, 3)),
        "A machine that dreams its pictures has nothing to learn.",
    )


@question(
    "The network gives log σ²: σ² is ops.exp(log_variance), and σ is ops.exp(log_variance / 2).",
    "price = ops.sum(mean² + σ² - log_variance - 1, axis=-1) / 2: a sum over the numbers of a code, and one "
    "price for each picture.",
    done="Right. Free clouds, expensive clouds, and codes of two numbers.",
)
def q4(cloud):
    def call(mean, log_variance, noise):
        tensors = [keras.ops.convert_to_tensor(np.array(x, "float32")) for x in (mean, log_variance, noise)]
        codes, price = cloud(*tensors)
        return keras.ops.convert_to_numpy(codes), keras.ops.convert_to_numpy(price)

    def shapes():
        results = cloud(*(keras.ops.zeros((3, 2)) for _ in range(3)))
        several = isinstance(results, (tuple, list))
        return ", ".join(str(tuple(np.shape(x))) for x in (results if several else [results]))

    yield Case(
        "three pictures, codes of two numbers: the shapes of what comes back", shapes, "(3, 2), (3,)",
        "Return two things: codes (B, k), prices (B,), one price for each picture.",
        right=lambda text: text == "(3, 2), (3,)",
    )
    for given, arguments, codes, price, remark in (
        (
            "mean 0, σ² = 1, noise 2", ([[0]], [[0]], [[2]]), [[2]], [0],
            "This cloud is N(0, 1) itself, and the dice say 2.",
        ),
        ("mean 1, σ² = 1, noise 0", ([[1]], [[0]], [[0]]), [[1]], [0.5], "Half of 1² + 1 - log 1 - 1."),
        (
            "mean 0, log σ² = log 4, noise 1", ([[0]], [[np.log(4)]], [[1]]), [[2]], [(3 - np.log(4)) / 2],
            "σ is 2 and σ² is 4: is the network's number σ, log σ, or log σ²?",
        ),
        (
            "one code of two numbers, mean (1, 2), σ² = (1, 1), noise (1, -1)",
            ([[1, 2]], [[0, 0]], [[1, -1]]), [[2, 1]], [2.5],
            "Each number of the noise moves its own number of the code; the prices of the numbers add up.",
        ),
        (
            "three pictures, codes of one number, means 1, 2, 3, σ² = 1, noise 0",
            ([[1], [2], [3]], [[0]] * 3, [[0]] * 3), [[1], [2], [3]], [0.5, 2, 4.5],
            "One price for each picture, shape (B,).",
        ),
    ):
        yield Case(f"{given}: codes", lambda x=arguments: call(*x)[0], np.array(codes), remark)
        yield Case(f"{given}: price", lambda x=arguments: call(*x)[1], np.array(price), remark)


@question(
    "-log sigmoid(x) = softplus(-x), and -log(1 - sigmoid(x)) = softplus(x); keras.ops.softplus is safe for "
    "large numbers.",
    "The discriminator wants large logits for true pictures and small ones for drawn ones; both terms are "
    "means. The generator wants large logits for what it drew.",
    done="Right. An undecided judge, a sure one, one who is very sure, and batches of unequal size.",
)
def q5(losses):
    def call(real, drawn):
        pair = losses(*(keras.ops.convert_to_tensor(np.array(x, "float32")[:, None]) for x in (real, drawn)))
        return np.array([float(keras.ops.convert_to_numpy(loss)) for loss in pair])

    def unless_saturating(drawn, remark):
        try:
            flat = np.isclose(call([0], [drawn])[1], -np.logaddexp(0, drawn), atol=1e-4)
        except Exception:  # the case itself will say what is wrong
            flat = False
        said = "Your generator's loss is log(1 - D), which has next to no slope where D is sure; see §9."
        return said if flat else remark

    yield Case(
        "an undecided judge (real logit 0, drawn logit 0)", lambda: call([0], [0]),
        np.array([2 * np.log(2), np.log(2)]),
        unless_saturating(
            0, "Each of the discriminator's terms is -log(1/2), they add up; the generator's is -log(1/2)."
        ),
    )
    sure = np.log(9)  # D = 0.9 and 0.1
    yield Case(
        "a judge who is right (D = 0.9 for a true picture, 0.1 for a drawn one)",
        lambda: call([sure], [-sure]), np.array([-2 * np.log(0.9), -np.log(0.1)]),
        "The discriminator should pay little and the generator much. Is the generator's loss -log D, not "
        "log(1 - D)? Which logits are the drawn ones?",
    )
    yield Case(
        "a judge who is wrong (D = 0.1 for a true picture, 0.9 for a drawn one)",
        lambda: call([-sure], [sure]), np.array([-2 * np.log(0.1), -np.log(0.9)]),
        "Now the discriminator pays.",
    )
    yield Case(
        "two true pictures with logits 0, 2 and three drawn with logits 0, 0, 2",
        lambda: call([0, 2], [0, 0, 2]),
        np.array(
            [
                (np.log(2) + np.log1p(np.exp(-2))) / 2 + (2 * np.log(2) + np.log1p(np.exp(2))) / 3,
                (2 * np.log(2) + np.log1p(np.exp(-2))) / 3,
            ]
        ),
        "A mean over true pictures plus a mean over drawn ones.",
    )
    yield Case(
        "a judge who is very wrong (logits -200 and 200), then very right", lambda: np.concatenate(
            [call([-200], [200]), call([200], [-200])]
        ),
        np.array([400.0, 0, 0, 200]),
        "sigmoid(-200) is 0 on a computer, and log 0 is not -200: use softplus.",
    )


def _samples(generate):
    """Train and test digits as in the sheet, and 100 samples of each digit: rows and labels."""
    digits = load_digits()
    rows = digits.data / 16
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(10), 100))
    samples = np.asarray(generate(labels, np.random.default_rng(0)), float)
    return (rows[:1200], digits.target[:1200]), (rows[1500:], digits.target[1500:]), (samples, labels)


def _spread(rows):
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    return distances.sum() / (len(rows) * (len(rows) - 1))


@question(
    "For each digit: PCA of its training pictures with k components; a code is then a Gaussian with the "
    "variances that PCA found. Draw codes, turn them back into pixels, clip to 0 … 1.",
    "With k = 0 you have the mean, with k = 64 the Gaussian of the lecture. Measure reading, variety and "
    "nearest against validation for several k, then settle on one.",
    done="""Your generator passes (so would a copier with noise).
Now hold your report against this rubric, a point each:
  1. It says how the generator works and which size of it was varied, all else equal.
  2. Variety was compared with validation digits (not test), and the size was chosen there.
  3. It names the trade between share read rightly, variety and nearest, and why it is one.
  4. It gives the numbers of two trivial generators (mean, copier) beside its own.
  5. It names a generator that would pass all four measurements (reading, variety, copies, distance)
     and still cheat, or a test that would catch it.""",
)
def q6(answer):
    generate, report = answer
    made = []

    def shape():
        made[:] = _samples(generate)
        return str(made[2][0].shape)

    yield Case(
        "1000 labels, 100 of each digit: the shape", shape, "(1000, 64)",
        "One row of 64 numbers for each label, not (N, 8, 8): did you forget to flatten?",
        right=lambda text: text == "(1000, 64)",
    )
    (train, train_labels), (test, test_labels), (samples, labels) = made
    yield Case(
        "the same: the range of values", lambda: [samples.min(), samples.max()], "within 0 and 1",
        "Clip to the range of ink.", right=lambda ends: ends[0] >= 0 and ends[1] <= 1,
    )
    reader = KNeighborsClassifier(5).fit(train, train_labels)
    share = reader.score(samples, labels)
    yield Case(
        "the share that is read rightly", lambda: share, "0.9 or more",
        "Does each sample come from the statistics of its own digit?", right=lambda value: value >= 0.9,
    )
    variety = np.mean(
        [_spread(samples[labels == d]) / _spread(test[test_labels == d]) for d in range(10)]
    )
    yield Case(
        "variety, against test digits", lambda: variety, "between 0.7 and 1.2",
        "Near 0: one picture for ever; far above 1: noise.", right=lambda value: 0.7 <= value <= 1.2,
    )
    near = reader.kneighbors(samples, 1)[0][:, 0]
    honest = reader.kneighbors(test, 1)[0].mean()
    yield Case(
        "the share of samples that are nearly a training digit (distance below 0.3)",
        lambda: np.mean(near < 0.3), "0.05 or less", "Is this a copier?", right=lambda value: value <= 0.05,
    )
    yield Case(
        f"the mean distance to the nearest training digit (test digits: {honest:.2f})", lambda: near.mean(),
        "at most 1.15 times that of test digits",
        "Do the samples leave the neighbourhood of handwriting? Pixels of one stroke vary together.",
        right=lambda value: value <= 1.15 * honest,
    )
    yield Case(
        "the report", lambda: report, "three sentences or more, 30 words at least",
        right=lambda text: isinstance(text, str) and len(text.split()) >= 30,
    )
