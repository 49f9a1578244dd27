"""Scores of a segmentation: all that a confusion matrix tells, and how far apart two outlines are."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from scipy import ndimage
from scipy.spatial import KDTree

from course_utils.data.augmentation import VOID


def confusion_matrix(y_true, y_pred, num_classes, void=VOID):
    """Count pixels by true and predicted class.

    Args:
        y_true: integers of any shape, class ids 0 … num_classes - 1, or `void`.
        y_pred: integers of the same shape, class ids 0 … num_classes - 1.
        num_classes: int, K.
        void: id in `y_true` that is never counted, or None.

    Returns:
        int64 (K, K); row = truth, column = prediction.

    Raises:
        ValueError: shapes differ, ids are no integers, or an id is out of range.
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape}, but y_pred {y_pred.shape}; make them equal.")
    counted = np.ones(y_true.shape, bool) if void is None else y_true != void
    pairs = []
    for name, ids in (("y_true", y_true[counted]), ("y_pred", y_pred[counted])):
        if not (np.issubdtype(ids.dtype, np.integer) or ids.dtype == bool):
            raise ValueError(f"{name} holds {ids.dtype}, not class ids; take the arg-max of logits first.")
        wrong = ids[(ids < 0) | (ids >= num_classes)]
        if wrong.size:
            raise ValueError(
                f"{name} holds the id {wrong[0]}, but num_classes={num_classes} allows 0 to "
                f"{num_classes - 1}; raise num_classes, or mark such pixels with void={void}."
            )
        pairs.append(ids.astype(np.int64))
    cells = np.bincount(pairs[0] * num_classes + pairs[1], minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def scores(confusion):
    """All scores of a confusion matrix, int (K, K) with the truth in rows, as `Scores`."""
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"a confusion matrix is square, (K, K); this one is {confusion.shape}.")
    hits = np.diag(confusion).astype(float)
    truth, predicted = confusion.sum(1), confusion.sum(0)
    absent = truth + predicted == 0

    def ratio(numerator, denominator):
        value = numerator / np.where(denominator == 0, 1, denominator)  # 0 / 0 counts as 0 …
        return np.where(absent, np.nan, value)                          # … but an absent class has no score

    total = confusion.sum()
    return Scores(
        pixel_accuracy=float(hits.sum() / total) if total else float("nan"),
        precision=ratio(hits, predicted),
        recall=ratio(hits, truth),
        f1=ratio(2 * hits, truth + predicted),
        iou=ratio(hits, truth + predicted - hits),
        support=truth,
    )


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores per class, arrays of K, NaN for a class absent from truth and prediction alike."""

    pixel_accuracy: float
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    iou: np.ndarray
    support: np.ndarray  # pixels of the truth

    @property
    def mean_iou(self):
        """Mean IoU over the classes that occur, NaN where none does."""
        return _mean(self.iou)

    @property
    def mean_f1(self):
        """Mean F1 over the classes that occur, NaN where none does."""
        return _mean(self.f1)

    def table(self, class_names):
        """The scores as text, one line a class and the means below."""
        if len(class_names) != len(self.iou):
            raise ValueError(f"{len(class_names)} class names for {len(self.iou)} classes.")
        width = max(len(name) for name in (*class_names, "class", "mean"))
        lines = [f"{'class':<{width}}  precision  recall     F1    IoU     pixels"]
        for name, *row in zip(
            class_names, self.precision, self.recall, self.f1, self.iou, self.support, strict=True
        ):
            lines.append("{:<{}}  {:9.3f}  {:6.3f}  {:5.3f}  {:5.3f}  {:9,}".format(name, width, *row))
        means = [_mean(column) for column in (self.precision, self.recall, self.f1, self.iou)]
        total = int(self.support.sum())
        lines.append("{:<{}}  {:9.3f}  {:6.3f}  {:5.3f}  {:5.3f}  {:9,}".format("mean", width, *means, total))
        return "\n".join(lines)


def _mean(values):
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


# --- the same, batch by batch, for compile --------------------------------------------------------


class _ConfusionMetric(keras.metrics.Metric):
    """The confusion matrix of all batches so far."""

    # Counts are exact: a float32 holds whole numbers up to 2^24, so each count is kept in two.
    BASE = 2**20

    def __init__(self, num_classes, ignore_class=VOID, name=None, dtype="float32"):
        super().__init__(name=name, dtype=dtype)
        self.num_classes, self.ignore_class = num_classes, ignore_class
        shape = (num_classes**2 + 1,)  # … and one for pixels that have no place in the matrix
        self.high = self.add_variable(shape, "zeros", dtype="float32", name="high")
        self.low = self.add_variable(shape, "zeros", dtype="float32", name="low")

    def update_state(self, y_true, y_pred, sample_weight=None):
        k = self.num_classes
        if y_pred.shape[-1] != k:
            raise ValueError(f"{self.name} has num_classes={k}, but y_pred has {y_pred.shape[-1]} channels.")
        truth = ops.cast(y_true, "int32")
        prediction = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        cell = ops.where((truth >= 0) & (truth < k), truth * k + prediction, k * k)
        counted = ops.ones_like(truth)
        if self.ignore_class is not None:
            counted = ops.cast(truth != self.ignore_class, "int32")
        if sample_weight is not None:
            weight = ops.cast(sample_weight != 0, "int32")
            counted = counted * (weight[:, None, None] if len(weight.shape) == 1 else weight)
        counts = ops.segment_sum(ops.ravel(counted), ops.ravel(cell), num_segments=k * k + 1)
        low = self.low + ops.cast(counts % self.BASE, "float32")
        carry = ops.floor(low / self.BASE)
        self.low.assign(low - carry * self.BASE)
        self.high.assign(self.high + carry + ops.cast(counts // self.BASE, "float32"))

    def _mean(self, score):
        """Mean over the classes that occur of score(hits, truth, predicted), arrays of K."""
        k = self.num_classes
        counts = ops.convert_to_tensor(self.high) * self.BASE + self.low
        matrix = ops.reshape(counts[: k * k], (k, k))
        truth, predicted = ops.sum(matrix, axis=1), ops.sum(matrix, axis=0)
        occurs = truth + predicted > 0
        values = ops.where(occurs, score(ops.diagonal(matrix), truth, predicted), 0.0)
        mean = ops.sum(values) / ops.sum(ops.cast(occurs, "float32"))       # 0 / 0 is NaN, as it should be
        return ops.where(counts[k * k] > 0, float("nan"), mean)

    def get_config(self):
        config = {"num_classes": self.num_classes, "ignore_class": self.ignore_class}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="course_utils")
class MeanIoU(_ConfusionMetric):
    """Mean IoU over the classes that occur in truth or prediction, of all batches so far.

    `update_state` takes y_true, int (B, H, W), and y_pred, logits or probabilities (B, H, W, K), and
    optional weights, of which a zero leaves a pixel (B, H, W) or a picture (B,) out. The result is NaN
    where y_true held an id out of range (a graph cannot raise), or nothing was counted.

    Args:
        num_classes: int, K.
        ignore_class: id in y_true that is never counted, or None.

    Raises:
        ValueError: y_pred has not K channels.
    """

    def __init__(self, num_classes, ignore_class=VOID, name="mean_iou", dtype="float32"):
        super().__init__(num_classes, ignore_class, name, dtype)

    def result(self):
        return self._mean(lambda hits, truth, predicted: hits / (truth + predicted - hits))


@keras.saving.register_keras_serializable(package="course_utils")
class MeanF1(_ConfusionMetric):
    """Mean F1 over the classes that occur in truth or prediction; else as `MeanIoU`."""

    def __init__(self, num_classes, ignore_class=VOID, name="mean_f1", dtype="float32"):
        super().__init__(num_classes, ignore_class, name, dtype)

    def result(self):
        return self._mean(lambda hits, truth, predicted: 2 * hits / (truth + predicted))


# --- outlines -------------------------------------------------------------------------------------


def hausdorff(a, b, percentile=100.0):
    """Hausdorff distance of two regions' outlines, in pixels.

    From every outline pixel of one region the distance to the nearest outline pixel of the other; of
    these the percentile; and of the two directions the larger. 100 is the Hausdorff distance, which one
    stray pixel decides; 95 is the usual remedy (Huttenlocher, Klanderman & Rucklidge 1993).

    Args:
        a, b: bool (H, W), or any other rank; True inside the region.
        percentile: float, 0 to 100.

    Returns:
        float: infinite where one of the regions is empty, NaN where both are.

    Raises:
        ValueError: shapes differ, or there is no such percentile.
    """
    if not 0 <= percentile <= 100:
        raise ValueError(f"percentile={percentile}; choose one from 0 to 100.")
    distances = _outline_distances(a, b)
    if not all(d.size for d in distances):
        return float("inf") if any(d.size for d in distances) else float("nan")
    return float(max(np.percentile(d, percentile) for d in distances))


def boundary_f1(a, b, tolerance=1):
    """F1 score of two regions' outlines (Csurka, Larlus & Perronnin 2013).

    Precision and recall are the shares of outline pixels of one region within `tolerance` pixels of
    the other's outline.

    Args:
        a, b: bool (H, W), or any other rank; True inside the region.
        tolerance: float, in pixels.

    Returns:
        float: 0 where one of the regions is empty, NaN where both are.

    Raises:
        ValueError: shapes differ.
    """
    distances = _outline_distances(a, b)
    if not all(d.size for d in distances):
        return 0.0 if any(d.size for d in distances) else float("nan")
    one, other = (float((d <= tolerance).mean()) for d in distances)
    return 2 * one * other / (one + other) if one + other else 0.0


def _outline_distances(a, b):
    """For a's outline pixels the distance to b's outline, and for b's that to a's.

    An outline pixel is one of the region with a neighbour (sharing a side) outside; outside the picture
    counts as outside. Where one outline is empty, the other's distances are infinite.
    """
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    if a.shape != b.shape:
        raise ValueError(f"the regions have shapes {a.shape} and {b.shape}; make them equal.")
    outlines = [np.argwhere(region & ~ndimage.binary_erosion(region)) for region in (a, b)]
    return [
        KDTree(other).query(own)[0] if len(own) else np.empty(0)
        for own, other in (outlines, outlines[::-1])
    ]
