"""Scores of a segmentation, all of them read off one confusion matrix."""

from dataclasses import dataclass

import numpy as np


def confusion_matrix(y_true, y_pred, num_classes, void=255):
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
