"""The loss of networks that predict a set of masks (Cheng, Schwing & Kirillov 2021, section 3.2).

Three steps, each a function of its own: which segments are there to be found (`find_targets`), what
would each query cost as the prediction of each of them (`pairwise_costs`), and, once `hungarian` has
paired them, what the pairs cost (`pair_losses`).
"""

import math
from typing import NamedTuple

import keras
from keras import ops

from course_utils.layers.upsampling import bilinear_matrix
from course_utils.matching import hungarian

ALPHA, GAMMA = 0.25, 2.0    # of the focal loss (Lin et al. 2017, section 4)
NONE = 2**31 - 1            # the key of void pixels, and of targets that are none


class Targets(NamedTuple):
    """The segments of each picture, the present ones first, then padding up to T."""

    classes: object    # int32 (B, T), 0 … K - 1; K where there is no target
    masks: object      # float32 (B, T, H, W), 1 inside the segment
    known: object      # float32 (B, 1, H, W), 0 in void pixels


@keras.saving.register_keras_serializable(package="course_utils")
class MaskSet(keras.losses.Loss):
    """MaskFormer's loss: pair queries and segments one to one, at least cost; then train the pairs.

    Called on y_true, int (B, H, W) class ids, of which each one that a picture shows is a segment, or int
    (B, H, W, 2) class and instance ids, of which each pair that it shows is a segment (instance 0: no
    single thing, as in the background); and on y_pred, the outputs of `maskformer`, of which "logits"
    is not used and the auxiliary ones may be missing. Returns a float32 number, summed over the
    decoder's layers.

    A graph cannot raise, so the loss is NaN, with a gradient of zero, where an id is neither a class
    nor void, and where a picture has more than `max_targets` segments.

    Args:
        num_classes: int, K.
        class_weight: float, weight of the cross-entropy of all queries' classes.
        mask_weight: float, weight of the focal loss of the pairs' masks.
        dice_weight: float, weight of their Dice loss.
        no_object_weight: float, what a query without a segment counts in the cross-entropy.
        ignore_class: id of void pixels, which count in no mask, or None.
        max_targets: int, T, the most segments in one picture; None for as many as there can be, that
            is the number of queries, or of classes where there are no instances. Memory grows
            with it.

    Raises:
        ValueError: when called, for shapes that do not fit each other, more targets than queries, or
            sample weights.
    """

    def __init__(
        self, num_classes, class_weight=1.0, mask_weight=20.0, dice_weight=1.0, no_object_weight=0.1,
        ignore_class=255, max_targets=None, name="mask_set",
    ):  # fmt: skip
        super().__init__(name=name)
        self.num_classes, self.no_object_weight = num_classes, no_object_weight
        self.class_weight, self.mask_weight, self.dice_weight = class_weight, mask_weight, dice_weight
        self.ignore_class, self.max_targets = ignore_class, max_targets

    def __call__(self, y_true, y_pred, sample_weight=None):
        """One number, float32. Keras's own `__call__` would turn ids into floats."""
        if sample_weight is not None:
            raise ValueError(f"{self.name} takes no sample weights; mark pixels as void instead.")
        return self.call(ops.cast(y_true, "int32"), y_pred)

    def call(self, y_true, y_pred):
        class_logits, mask_logits = _all_layers(y_pred)                       # B, L, N, K + 1; B, L, N, h, w
        depth = class_logits.shape[1]
        count = self._count(y_true.shape, class_logits.shape)
        targets, wrong = find_targets(y_true, self.num_classes, count, self.ignore_class)
        # Layers are treated as further pictures with the same targets: one matching does for all.
        targets = Targets(*(ops.repeat(x, depth, axis=0) for x in targets))
        class_logits, mask_logits = _merge(class_logits), _merge(mask_logits)
        rows = self.match(targets, class_logits, mask_logits)
        losses = pair_losses(targets, rows, class_logits, mask_logits, self.no_object_weight)
        # Each loss is a mean over targets or queries, equally many in each layer: the sum is depth means.
        return ops.where(wrong, math.nan, depth * self._weigh(losses))

    def match(self, targets, class_logits, mask_logits):
        """The query of each target, int32 (B, T), by costs in the masks' own size."""
        small = Targets(targets.classes, *(shrink(x, mask_logits) for x in targets[1:]))
        cost = self._weigh(pairwise_costs(small, class_logits, mask_logits))
        return hungarian(cost, targets.classes < self.num_classes)

    def _weigh(self, terms):
        by_class, focal, dice = terms
        return self.class_weight * by_class + self.mask_weight * focal + self.dice_weight * dice

    def _count(self, ids_shape, logits_shape):
        """How many targets to make room for; raises where shapes do not fit."""
        queries, classes = logits_shape[2], logits_shape[3] - 1
        if classes != self.num_classes:
            raise ValueError(f"{self.name} is for {self.num_classes} classes, the network for {classes}.")
        if len(ids_shape) != 3 and (len(ids_shape) != 4 or ids_shape[3] != 2):
            raise ValueError(
                f"{self.name} takes masks (B, H, W) of class ids, or (B, H, W, 2) of class and "
                f"instance ids, not {tuple(ids_shape)}."
            )
        if self.max_targets and self.max_targets > queries:
            raise ValueError(
                f"{self.max_targets} targets need as many queries, not {queries}; "
                f"raise queries or lower max_targets."
            )
        return self.max_targets or (min(queries, classes) if len(ids_shape) == 3 else queries)

    def get_config(self):
        return {
            "num_classes": self.num_classes, "class_weight": self.class_weight,
            "mask_weight": self.mask_weight, "dice_weight": self.dice_weight,
            "no_object_weight": self.no_object_weight, "ignore_class": self.ignore_class,
            "max_targets": self.max_targets, "name": self.name,
        }  # fmt: skip


def _all_layers(y_pred):
    """Class logits (B, L, N, K + 1) and mask logits (B, L, N, h, w) of all layers, float32."""
    for kind in ("class_logits", "mask_logits"):
        last = ops.cast(y_pred[kind], "float32")[:, None]
        earlier = y_pred.get(f"auxiliary_{kind}")
        yield last if earlier is None else ops.concatenate([ops.cast(earlier, "float32"), last], axis=1)


def _merge(x):
    """(B, L, …) to (B·L, …)."""
    return ops.reshape(x, (-1, *ops.shape(x)[2:]))


# --- the targets ----------------------------------------------------------------------------------


def find_targets(ids, num_classes, count, ignore_class=255):
    """The segments of each picture.

    Args:
        ids: int32 (B, H, W) class ids, or (B, H, W, 2) class and instance ids.
        num_classes: int, K.
        count: int, T, segments to make room for.
        ignore_class: id of void pixels, or None.

    Returns:
        `Targets`, in ascending order of instance, then class; and a bool, True where ids are out of
        range or there are more than T segments in a picture.
    """
    classes, instances = (ids[..., 0], ids[..., 1]) if len(ids.shape) == 4 else (ids, ops.zeros_like(ids))
    void = ops.zeros_like(classes) if ignore_class is None else ops.cast(classes == ignore_class, "int32")
    keys = ops.where(void == 1, NONE, instances * num_classes + classes)      # B, H, W
    segments = distinct(ops.reshape(keys, (ops.shape(keys)[0], -1)), count)   # B, T
    present = segments != NONE
    masks = (keys[:, None] == segments[:, :, None, None]) & present[:, :, None, None]
    outside = (void == 0) & ((classes < 0) | (classes >= num_classes) | (instances < 0))
    too_many = (keys != NONE) & (keys > segments[:, -1:, None])
    targets = Targets(
        ops.where(present, segments % num_classes, num_classes),
        ops.cast(masks, "float32"),
        ops.cast(1 - void, "float32")[:, None],
    )
    return targets, ops.any(outside | too_many)


def distinct(keys, count):
    """The `count` smallest different numbers of each row, ascending, then NONE; from int32 (B, P)."""
    keys = ops.sort(keys, axis=1)
    keys = ops.concatenate([keys[:, :1], ops.where(keys[:, 1:] == keys[:, :-1], NONE, keys[:, 1:])], axis=1)
    keys = ops.sort(ops.pad(keys, [[0, 0], [0, count]], constant_values=NONE), axis=1)
    return ops.reshape(keys[:, :count], (-1, count))                          # known, even where P is not


def shrink(masks, like):
    """Nearest-neighbour resizing of (B, T, H, W) to the size of (B, N, h, w): the pixel at i·H/h.

    Keras's own "nearest" takes the pixel in the middle of what becomes one, the paper's code the first.
    """
    for axis in (2, 3):
        old, new = ops.shape(masks)[axis], ops.shape(like)[axis]
        masks = ops.take(masks, ops.arange(new) * old // new, axis=axis)
    return masks


def enlarge(x, like):
    """Bilinear resizing of (B, T, h, w) to the height and width of (…, H, W), which may be unknown."""
    sizes = zip(ops.shape(x)[2:], ops.shape(like)[2:], strict=True)
    rows, columns = (bilinear_matrix(old, new) for old, new in sizes)
    return ops.matmul(ops.matmul(rows, x), ops.transpose(columns))


# --- the costs ------------------------------------------------------------------------------------


def pairwise_costs(targets, class_logits, mask_logits):
    """What each query would cost as the prediction of each target.

    Args:
        targets: `Targets`, masks in the size of the mask logits.
        class_logits: (B, N, K + 1).
        mask_logits: (B, N, h, w).

    Returns:
        three float32 arrays (B, N, T): minus the probability of the target's class, the focal loss, the
        Dice loss, the last two over known pixels.
    """
    picked = ops.one_hot(targets.classes, class_logits.shape[-1], dtype="float32")
    by_class = -ops.einsum("bnk,btk->bnt", ops.softmax(class_logits), picked)
    inside, outside, p = (x * targets.known for x in _pixel_terms(mask_logits))
    change = ops.einsum("bnhw,bthw->bnt", inside - outside, targets.masks)    # outside everywhere, but …
    focal = (ops.sum(outside, axis=(2, 3))[:, :, None] + change) / _pixels(targets)[:, :, None]
    hits = ops.einsum("bnhw,bthw->bnt", p, targets.masks)
    total = ops.sum(p, axis=(2, 3))[:, :, None] + ops.sum(targets.masks, axis=(2, 3))[:, None]
    return by_class, focal, 1 - (2 * hits + 1) / (total + 1)


def _pixel_terms(x):
    """Focal loss of a pixel inside the target, of one outside, and its probability, from its logit."""
    p, not_p = ops.sigmoid(x), ops.sigmoid(-x)
    return ALPHA * not_p**GAMMA * ops.softplus(-x), (1 - ALPHA) * p**GAMMA * ops.softplus(x), p


def _pixels(targets):
    """How many pixels are known, at least 1: (B, 1)."""
    return ops.maximum(ops.sum(targets.known, axis=(2, 3)), 1.0)


# --- the loss -------------------------------------------------------------------------------------


def pair_losses(targets, rows, class_logits, mask_logits, no_object_weight=0.1):
    """Cross-entropy of all queries' classes; focal and Dice loss of the paired queries' masks.

    Args:
        targets: `Targets`, masks in their full size.
        rows: int32 (B, T), the query of each target.
        class_logits: (B, N, K + 1).
        mask_logits: (B, N, h, w), in any size.
        no_object_weight: float, what a query without a target counts.

    Returns:
        three float32 numbers: the weighted mean of the first, and the sums over targets of the others'
        means over known pixels, divided by the number of targets.
    """
    real = ops.cast(targets.classes < class_logits.shape[-1] - 1, "float32")  # B, T
    number = ops.maximum(ops.sum(real), 1.0)
    chosen = ops.take_along_axis(mask_logits, rows[:, :, None, None], axis=1)  # B, T, h, w
    chosen = enlarge(chosen, targets.masks)                                   # B, T, H, W
    inside, outside, p = (x * targets.known for x in _pixel_terms(chosen))
    masks = targets.masks
    focal = ops.sum(masks * inside + (1 - masks) * outside, axis=(2, 3)) / _pixels(targets)
    sizes = ops.sum(p, axis=(2, 3)) + ops.sum(masks, axis=(2, 3))
    dice = 1 - (2 * ops.sum(p * masks, axis=(2, 3)) + 1) / (sizes + 1)
    by_class = _class_loss(targets, rows, class_logits, no_object_weight)
    return by_class, ops.sum(real * focal) / number, ops.sum(real * dice) / number


def _class_loss(targets, rows, class_logits, no_object_weight):
    """Cross-entropy, where queries without a target should say "no object", the last class."""
    queries, no_object = class_logits.shape[1], class_logits.shape[2] - 1
    paired = ops.cast(rows[:, :, None] == ops.arange(queries, dtype="int32"), "int32")     # B, T, N
    classes = no_object + ops.sum(paired * (targets.classes - no_object)[:, :, None], axis=1)
    truth = ops.one_hot(classes, no_object + 1, dtype="float32")              # B, N, K + 1
    weight = ops.where(classes == no_object, no_object_weight, 1.0)
    entropy = -ops.sum(truth * ops.log_softmax(class_logits), axis=-1)
    return ops.sum(weight * entropy) / ops.maximum(ops.sum(weight), 1e-6)
