"""Metrics and the dense CRF against what other libraries take: python tests/benchmarks/numerics.py

Each pair is measured in one run, so that the ratio does not depend on the machine.
"""

import platform
import time

import keras
import numpy as np
import scipy.spatial.distance
import sklearn.metrics
from scipy import ndimage

import course_utils
from course_utils import crf, metrics


def seconds(function, repeats=5):
    """The fastest of some runs, after one that warms up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def compare(name, mine, **others):
    own = seconds(mine)
    ratios = (f"{other} takes {seconds(function) / own:.1f} times that" for other, function in others.items())
    print(f"{name}: {1000 * own:.1f} ms; {', '.join(ratios)}")


def confusion():
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 21, (8, 128, 128))
    logits = rng.normal(size=(8, 128, 128, 21)).astype("float32")
    prediction = logits.argmax(-1)
    compare(
        "confusion matrix, 8 × 128 × 128, 21 classes",
        lambda: metrics.confusion_matrix(masks, prediction, 21),
        **{"scikit-learn": lambda: sklearn.metrics.confusion_matrix(masks.ravel(), prediction.ravel())},
    )
    own = metrics.MeanIoU(21)
    keras_own = keras.metrics.MeanIoU(21, ignore_class=255, sparse_y_pred=False)
    compare(
        "MeanIoU.update_state on the same",
        lambda: own.update_state(masks, logits),
        **{"keras.metrics.MeanIoU": lambda: keras_own.update_state(masks, logits)},
    )


def hausdorff():
    rng = np.random.default_rng(0)
    regions = [ndimage.gaussian_filter(rng.normal(size=(256, 256)), 12) > 0 for _ in range(2)]
    points = [np.argwhere(region & ~ndimage.binary_erosion(region)) for region in regions]
    directed = scipy.spatial.distance.directed_hausdorff
    compare(
        f"Hausdorff distance, 256 × 256, {len(points[0])} and {len(points[1])} outline pixels",
        lambda: metrics.hausdorff(*regions),
        scipy=lambda: max(directed(*points)[0], directed(*points[::-1])[0]),
    )


def dense_crf():
    rng = np.random.default_rng(0)
    image = rng.uniform(size=(64, 64, 3))
    probabilities = rng.dirichlet(np.ones(21), (64, 64))
    own = seconds(lambda: crf.dense_crf(probabilities, image))
    print(f"dense CRF, 64 × 64, 21 classes, 10 iterations: {1000 * own:.0f} ms (goal: under 1000)")


if __name__ == "__main__":
    course_utils.setup()
    print(platform.platform())
    confusion()
    hausdorff()
    dense_crf()
