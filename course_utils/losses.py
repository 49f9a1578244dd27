"""Losses on masks of class ids and on logits.

All take y_true, int (B, H, W) with class ids 0 … K - 1 or `ignore_class`, and y_pred, logits
(B, H, W, K). Void pixels are never counted; an id that is neither makes the loss NaN. Everything is
computed in float32, whatever the network's precision. `sample_weight`, where given, is one weight a
pixel (B, H, W) or a picture (B,).
"""

import math
from functools import reduce

import keras
import numpy as np
from keras import ops
from scipy import ndimage

from course_utils.data.augmentation import VOID
from course_utils.mask_set import MaskSet

__all__ = [
    "CrossEntropy", "Dice", "DistanceFocal", "Focal", "MaskSet", "Sum", "Tversky", "border_weights",
]  # fmt: skip


class _MaskLoss(keras.losses.Loss):
    """What the losses share: one-hot truth, log-probabilities, and weights that are 0 where void."""

    def __init__(self, ignore_class, name):
        super().__init__(name=name)
        self.ignore_class = ignore_class

    def __call__(self, y_true, y_pred, sample_weight=None):
        """One number, float32. Keras's own `__call__` would divide by the void pixels too."""
        ids, logits = ops.cast(y_true, "int32"), ops.cast(y_pred, "float32")
        if len(ids.shape) != 3 or len(logits.shape) != 4:
            raise ValueError(
                f"{self.name} takes masks (B, H, W) and logits (B, H, W, K); these have shapes "
                f"{tuple(ids.shape)} and {tuple(logits.shape)}."
            )
        truth = ops.cast(ids[..., None] == ops.arange(logits.shape[-1]), "float32")  # B, H, W, K
        known, void = ops.sum(truth, axis=-1), ops.zeros_like(ids)
        if self.ignore_class is not None:
            void = ops.cast(ids == self.ignore_class, "int32")
        counted = known * ops.cast(1 - void, "float32")                              # B, H, W
        pixels = ops.maximum(ops.sum(counted), 1.0)
        weight = ops.where((known == 0) & (void == 0), math.nan, counted)
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, "float32")
            if len(sample_weight.shape) == 1:
                sample_weight = sample_weight[:, None, None]
            weight = weight * sample_weight
        return self.call(truth, ops.log_softmax(logits), weight, pixels)

    def get_config(self):
        return {"ignore_class": self.ignore_class, "name": self.name}


# --- losses that look at each pixel by itself -----------------------------------------------------


@keras.saving.register_keras_serializable(package="course_utils")
class CrossEntropy(_MaskLoss):
    """Cross-entropy, the mean over counted pixels.

    Args:
        ignore_class: id of void pixels, or None.
    """

    def __init__(self, ignore_class=VOID, name="cross_entropy"):
        super().__init__(ignore_class, name)

    def call(self, truth, log_p, weight, pixels):
        return -ops.sum(weight * ops.sum(truth * log_p, axis=-1)) / pixels


@keras.saving.register_keras_serializable(package="course_utils")
class Focal(_MaskLoss):
    """Focal loss, the mean over counted pixels of -α (1 - p)^γ log p (Lin et al. 2017, equation 5).

    Args:
        gamma: float, 0 or more: how much less a pixel counts that is nearly right. 0 is cross-entropy.
        alpha: float, or K floats: weight of each class.
        ignore_class: id of void pixels, or None.
    """

    def __init__(self, gamma=2.0, alpha=1.0, ignore_class=VOID, name="focal"):
        super().__init__(ignore_class, name)
        self.gamma, self.alpha = gamma, alpha

    def call(self, truth, log_p, weight, pixels):
        terms = ops.convert_to_tensor(self.alpha, "float32") * _doubt(log_p) ** self.gamma * log_p
        return -ops.sum(weight * ops.sum(truth * terms, axis=-1)) / pixels

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma, "alpha": self.alpha}


@keras.saving.register_keras_serializable(package="course_utils")
class DistanceFocal(_MaskLoss):
    """Focal loss that forgives a class near its true pixels (after Law & Deng 2018, equation 1).

    With y = exp(-d²/2σ²), d the distance to the nearest pixel of the class, a pixel costs
    -(1 - p)^γ log p for its own class and -(1 - y)^β p^γ log(1 - p) for each other class; the mean
    over counted pixels.

    Args:
        gamma: float, the focusing exponent.
        beta: float, how steeply forgiveness falls with distance.
        sigma: float, width of the Gaussian, in pixels; it is cut off at three times that.
        ignore_class: id of void pixels, or None.
    """

    def __init__(self, gamma=2.0, beta=4.0, sigma=2.0, ignore_class=VOID, name="distance_focal"):
        super().__init__(ignore_class, name)
        self.gamma, self.beta, self.sigma = gamma, beta, sigma

    def call(self, truth, log_p, weight, pixels):
        near = _gaussian_around(truth, self.sigma)                                   # B, H, W, K
        own = _doubt(log_p) ** self.gamma * log_p
        other = (1 - near) ** self.beta * ops.exp(self.gamma * log_p) * _log_not(log_p)
        return -ops.sum(weight * ops.sum(truth * own + (1 - truth) * other, axis=-1)) / pixels

    def get_config(self):
        config = {"gamma": self.gamma, "beta": self.beta, "sigma": self.sigma}
        return {**super().get_config(), **config}


def _doubt(log_p):
    """1 - p, kept off zero, where its powers have no slope."""
    return ops.maximum(-ops.expm1(log_p), 1e-7)


def _log_not(log_p):
    """log(1 - p), exact also where p rounds to 1: there it is the logarithm of all others' sum."""
    top = ops.one_hot(ops.argmax(log_p, axis=-1), log_p.shape[-1], dtype="float32")
    others = ops.logsumexp(log_p - 1e9 * top, axis=-1, keepdims=True)
    return top * others + (1 - top) * ops.log1p(-(1 - top) * ops.exp(log_p))


def _gaussian_around(truth, sigma):
    """exp(-d²/2σ²), d the distance to the nearest 1 of the same channel: float32 (B, H, W, K).

    The Gaussian of a squared distance is a product over rows and columns, so its maximum is found
    along one axis after the other.
    """
    reach = math.ceil(3 * sigma)
    for _ in range(2):
        size = ops.shape(truth)[1]
        padded = ops.pad(truth, [[0, 0], [reach, reach], [0, 0], [0, 0]])
        shifts = (
            math.exp(-((r - reach) ** 2) / (2 * sigma**2)) * padded[:, r : r + size]
            for r in range(2 * reach + 1)
        )
        truth = ops.swapaxes(reduce(ops.maximum, shifts), 1, 2)
    return truth


# --- losses that compare regions ------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="course_utils")
class Tversky(_MaskLoss):
    """1 - Tversky index, the mean over classes (Salehi, Erdogmus & Gholipour 2017).

    The index of a class, over all counted pixels of the batch, is
    (TP + smooth) / (TP + α FP + β FN + smooth), with probabilities in place of decisions. A class that
    is absent from truth and prediction costs nothing.

    Args:
        alpha: float, weight of false positives.
        beta: float, weight of false negatives.
        smooth: float, 0 or more.
        ignore_class: id of void pixels, or None.
    """

    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0, ignore_class=VOID, name="tversky"):
        super().__init__(ignore_class, name)
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def call(self, truth, log_p, weight, pixels):
        p, weight = ops.exp(log_p), weight[..., None]
        def total(share):
            return ops.sum(weight * share, axis=(0, 1, 2))                           # K

        hits, false_alarms, misses = total(truth * p), total((1 - truth) * p), total(truth * (1 - p))
        size = hits + self.alpha * false_alarms + self.beta * misses + self.smooth
        index = (hits + self.smooth) / ops.where(size == 0, 1.0, size)
        return ops.mean(1 - ops.where(size == 0, 1.0, index))

    def get_config(self):
        config = {"alpha": self.alpha, "beta": self.beta, "smooth": self.smooth}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="course_utils")
class Dice(_MaskLoss):
    """1 - Dice index, the mean over classes (Milletari, Navab & Ahmadi 2016, section 3).

    The index of a class, over all counted pixels of the batch, is
    (2 TP + smooth) / (2 TP + FP + FN + smooth): the F1 score with probabilities in place of decisions.
    A class that is absent from truth and prediction costs nothing.

    Args:
        smooth: float, 0 or more.
        ignore_class: id of void pixels, or None.
    """

    def __init__(self, smooth=1.0, ignore_class=VOID, name="dice"):
        super().__init__(ignore_class, name)
        self.smooth = smooth

    def call(self, truth, log_p, weight, pixels):
        # Dice is Tversky with both errors at one half.
        return Tversky(0.5, 0.5, self.smooth / 2).call(truth, log_p, weight, pixels)

    def get_config(self):
        return {**super().get_config(), "smooth": self.smooth}


@keras.saving.register_keras_serializable(package="course_utils")
class Sum(keras.losses.Loss):
    """A weighted sum of losses.

    Args:
        losses: list of Keras losses, or their names.
        weights: a float for each; None for 1 each.

    Raises:
        ValueError: there are not as many weights as losses.
    """

    def __init__(self, losses, weights=None, name="sum"):
        super().__init__(name=name)
        self.losses = [keras.losses.get(loss) for loss in losses]
        self.weights = [1.0] * len(self.losses) if weights is None else list(weights)
        if len(self.weights) != len(self.losses):
            raise ValueError(f"{len(self.losses)} losses need as many weights, not {len(self.weights)}.")

    def __call__(self, y_true, y_pred, sample_weight=None):
        terms = zip(self.weights, self.losses, strict=True)
        return sum(weight * loss(y_true, y_pred, sample_weight) for weight, loss in terms)

    def get_config(self):
        losses = [keras.losses.serialize(loss) for loss in self.losses]
        return {"losses": losses, "weights": self.weights, "name": self.name}

    @classmethod
    def from_config(cls, config):
        losses = [keras.losses.deserialize(loss) for loss in config["losses"]]
        return cls(**{**config, "losses": losses})


# --- weights --------------------------------------------------------------------------------------


def border_weights(masks, w0=10.0, sigma=5.0, *, background=0, void=VOID):
    """U-Net's weight map (Ronneberger, Fischer & Brox 2015, equation 2): w_c + w0 exp(-(d1 + d2)²/2σ²).

    d1 and d2 are the distances of a background pixel to the nearest and the second nearest cell. A
    cell is a connected region of one class (4-neighbours). w_c balances the classes: it is their
    share if all were equal, over their share in `masks`.

    Args:
        masks: int (N, H, W), class ids, or the ids of single cells where these touch.
        w0: float, height of the border's weight.
        sigma: float, its width, in pixels.
        background: id of what lies between cells.
        void: id of pixels that get weight 0.

    Returns:
        float32 (N, H, W), for `sample_weight`.

    Raises:
        ValueError: masks have another rank.
    """
    masks = np.asarray(masks)
    if masks.ndim != 3:
        raise ValueError(f"border_weights takes masks (N, H, W); these have shape {masks.shape}.")
    cells = (masks != background) & (masks != void)
    counts = {False: (masks == background).sum(), True: cells.sum()}
    present = sum(n > 0 for n in counts.values())
    balance = {key: sum(counts.values()) / (present * n) if n else 0.0 for key, n in counts.items()}
    weights = np.where(cells, balance[True], balance[False])
    for weight, mask in zip(weights, masks, strict=True):
        distances = _distances_to_cells(mask, background, void)
        if len(distances) > 1:
            d1, d2 = np.partition(distances, 1, axis=0)[:2]
            weight += (mask == background) * w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return np.where(masks == void, 0, weights).astype("float32")


def _distances_to_cells(mask, background, void):
    """Distance of every pixel to each cell of one picture: float (cells, H, W)."""
    regions = []
    for value in np.setdiff1d(mask, [background, void]):
        labels, count = ndimage.label(mask == value)
        regions += [labels == i for i in range(1, count + 1)]
    return np.array([ndimage.distance_transform_edt(~region) for region in regions])
