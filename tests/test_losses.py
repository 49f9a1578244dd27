"""Losses: against other libraries' numbers, by hand, and where they could break."""

from pathlib import Path

import keras
import numpy as np
import pytest
from cases import masks_and_logits
from fill import random
from keras import ops
from scipy import ndimage

from course_utils import data, losses, metrics

GOLDEN = np.load(Path(__file__).parent / "golden" / "numerics.npz")
EVERY = [
    losses.CrossEntropy(),
    losses.Dice(),
    losses.Focal(),
    losses.DistanceFocal(),
    losses.Tversky(0.3, 0.7),
    losses.Sum([losses.CrossEntropy(), losses.Dice()], weights=[1, 0.5]),
]
every_loss = pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.name)


def value(loss, *arguments):
    return float(loss(*arguments))


def gradient(loss, masks, logits):
    """How the loss changes with every logit, by the back-end's own differentiation."""
    model = keras.Sequential([keras.Input(logits.shape[1:]), _Shift(logits.shape[1:])])
    model.compile(keras.optimizers.SGD(1.0), loss=loss)
    model.fit(logits, masks, epochs=1, batch_size=len(logits), verbose=0)
    return -model.get_weights()[0]


class _Shift(keras.layers.Layer):
    """Adds a weight to every logit, so that one step of SGD shows the gradient."""

    def __init__(self, shape):
        super().__init__()
        self.shift = self.add_weight(shape=shape, initializer="zeros")

    def call(self, x):
        return x + self.shift


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("cross_entropy", losses.CrossEntropy()),
        ("focal", losses.Focal(gamma=2.0)),
        ("dice", losses.Dice(smooth=1.0)),
        ("tversky", losses.Tversky(alpha=0.2, beta=0.8, smooth=1.0)),
    ],
)
def test_losses_equal_those_of_torch_and_monai(name, loss):
    assert value(loss, *masks_and_logits()) == pytest.approx(float(GOLDEN[name]), rel=1e-5)


def test_cross_entropy_is_keras_own():
    masks, logits = masks_and_logits()
    own = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    assert value(losses.CrossEntropy(), masks, logits) == pytest.approx(value(own, masks, logits), rel=1e-5)


def test_by_hand():
    logits = np.log([[[[0.8, 0.2], [0.4, 0.6], [0.5, 0.5]]]]).astype("float32")
    masks = np.array([[[0, 0, 255]]])
    expected = -(np.log(0.8) + np.log(0.4)) / 2
    assert value(losses.CrossEntropy(), masks, logits) == pytest.approx(expected, rel=1e-5)
    expected = -(0.2**2 * np.log(0.8) + 0.6**2 * np.log(0.4)) / 2
    assert value(losses.Focal(), masks, logits) == pytest.approx(expected, rel=1e-5)
    expected = -3 * (0.2**2 * np.log(0.8) + 0.6**2 * np.log(0.4)) / 2
    assert value(losses.Focal(alpha=[3.0, 7.0]), masks, logits) == pytest.approx(expected, rel=1e-5)
    # class 0: TP 1.2, FP 0, FN 0.8; class 1, absent: TP 0, FP 0.8, FN 0
    expected = 1 - np.mean([(2.4 + 1) / (2.4 + 0.8 + 1), 1 / (0.8 + 1)])
    assert value(losses.Dice(), masks, logits) == pytest.approx(expected, rel=1e-5)


def test_alpha_of_tversky_weighs_false_positives():
    logits = np.log([[[[0.8, 0.2], [0.4, 0.6]]]]).astype("float32")
    masks = np.array([[[0, 0]]])
    # class 0: TP 1.2, FP 0, FN 0.8; class 1: TP 0, FP 0.8, FN 0
    expected = 1 - np.mean([(1.2 + 1) / (1.2 + 0.7 * 0.8 + 1), 1 / (0.3 * 0.8 + 1)])
    assert value(losses.Tversky(alpha=0.3, beta=0.7), masks, logits) == pytest.approx(expected, rel=1e-5)
    swapped = 1 - np.mean([(1.2 + 1) / (1.2 + 0.3 * 0.8 + 1), 1 / (0.7 * 0.8 + 1)])
    assert value(losses.Tversky(alpha=0.7, beta=0.3), masks, logits) == pytest.approx(swapped, rel=1e-5)


def test_dice_of_decisions_is_one_minus_mean_f1():
    masks, logits = masks_and_logits()
    f1 = metrics.scores(metrics.confusion_matrix(masks, logits.argmax(-1), 5)).mean_f1
    assert value(losses.Dice(smooth=0.0), masks, 1e6 * logits) == pytest.approx(1 - f1, abs=1e-5)


def test_dice_and_tversky_ask_nothing_of_an_absent_class():
    masks = np.zeros((2, 4, 4), int)
    right = np.zeros((2, 4, 4, 3), "float32")
    right[..., 0] = 1e3
    for smooth in (0.0, 1.0):
        assert value(losses.Dice(smooth), masks, right) == pytest.approx(0, abs=1e-6)
        assert value(losses.Tversky(0.3, 0.7, smooth), masks, right) == pytest.approx(0, abs=1e-6)


def test_gamma_zero_is_cross_entropy():
    masks, logits = masks_and_logits()
    focal = value(losses.Focal(gamma=0.0), masks, logits)
    assert focal == pytest.approx(value(losses.CrossEntropy(), masks, logits), rel=1e-5)
    assert np.isfinite(gradient(losses.Focal(gamma=0.0), masks[:1], logits[:1])).all()


def test_distance_focal_equals_its_formula():
    masks, logits = masks_and_logits()
    masks, logits = masks[:1], logits[:1]
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p = (p / p.sum(-1, keepdims=True))[0].astype("float64")
    expected = np.zeros(masks[0].shape)
    for k in range(5):
        y = np.exp(-(ndimage.distance_transform_edt(masks[0] != k) ** 2) / (2 * 2.0**2))
        y[y < np.exp(-(7**2) / 8)] = 0  # cut off beyond 3 sigma along each axis, as no class is farther away
        own = (1 - p[..., k]) ** 2 * np.log(p[..., k])
        other = (1 - y) ** 4 * p[..., k] ** 2 * np.log(1 - p[..., k])
        expected -= np.where(masks[0] == k, own, other)
    expected = expected[masks[0] != 255].mean()
    assert value(losses.DistanceFocal(), masks, logits) == pytest.approx(expected, rel=1e-4)


def test_distance_focal_forgives_near_the_truth():
    masks = np.zeros((1, 15, 15), int)
    masks[0, 7, 7] = 1

    def cost(row, column):
        logits = np.zeros((1, 15, 15, 2), "float32")
        logits[..., 0] = 5
        logits[0, 7, 7] = logits[0, row, column] = (0, 5)
        return value(losses.DistanceFocal(sigma=2.0), masks, logits)

    assert cost(7, 8) < cost(7, 9) < cost(7, 11) < cost(1, 3)


@every_loss
def test_void_is_never_counted(loss):
    masks, logits = masks_and_logits()
    other = np.where((masks == 255)[..., None], random(logits.shape, 9), logits)
    assert value(loss, masks, other) == pytest.approx(value(loss, masks, logits), rel=1e-6)
    slope = gradient(loss, masks[:1], logits[:1])
    assert (slope[masks[0] == 255] == 0).all() and (slope[masks[0] != 255] != 0).any()


@every_loss
def test_finite_where_nothing_is_to_be_counted(loss):
    logits = masks_and_logits()[1]
    void = np.full(logits.shape[:3], 255)
    assert value(loss, void, logits) == pytest.approx(0, abs=1e-6)
    assert (gradient(loss, void[:1], logits[:1]) == 0).all()
    background = np.zeros(logits.shape[:3], int)
    assert np.isfinite(value(loss, background, logits))
    assert np.isfinite(gradient(loss, background[:1], logits[:1])).all()


@every_loss
def test_finite_at_logits_of_ten_thousand(loss):
    masks, logits = masks_and_logits()
    extreme = 1e4 * np.sign(logits)
    assert np.isfinite(value(loss, masks, extreme))
    assert np.isfinite(gradient(loss, masks[:1], extreme[:1])).all()


def test_a_confident_mistake_still_has_a_slope():
    masks = np.zeros((1, 8, 8), int)
    masks[0, 0, 0] = 1
    logits = np.zeros((1, 8, 8, 3), "float32")
    logits[0, :, :, 2] = 60
    slope = gradient(losses.DistanceFocal(), masks, logits)
    assert np.abs(slope[4, 4]).max() > 0.1 / 64


@every_loss
def test_half_precision_logits_are_summed_in_float32(loss):
    masks, logits = masks_and_logits()
    masks, logits = np.tile(masks, (1, 8, 8)), np.tile(logits, (1, 8, 8, 1))  # sums beyond 65504 / 8
    half = ops.cast(ops.convert_to_tensor(logits), "float16")
    result = loss(masks, half)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    again = value(loss, masks, ops.cast(half, "float32"))
    assert float(result) == pytest.approx(again, rel=1e-6)


@every_loss
def test_an_id_out_of_range_is_not_passed_over(loss):
    masks, logits = masks_and_logits()
    masks[0, 0, 0] = 5
    assert np.isnan(value(loss, masks, logits))


def test_void_can_be_another_id_or_none():
    masks, logits = masks_and_logits()
    nine = np.where(masks == 255, 9, masks)
    expected = value(losses.CrossEntropy(), masks, logits)
    assert value(losses.CrossEntropy(ignore_class=9), nine, logits) == pytest.approx(expected)
    assert np.isnan(value(losses.CrossEntropy(ignore_class=None), masks, logits))
    filled = np.where(masks == 255, 4, masks)
    none = value(losses.CrossEntropy(ignore_class=None), filled, logits)
    assert none == pytest.approx(value(losses.CrossEntropy(), filled, logits))
    # One class of the masks may itself be the one to ignore.
    assert np.isfinite(value(losses.CrossEntropy(ignore_class=0), filled, logits))


@every_loss
def test_weights_of_pixels_and_of_pictures(loss):
    masks, logits = masks_and_logits()
    per_picture = np.array([1.0, 0.0, 2.0], "float32")
    per_pixel = np.broadcast_to(per_picture[:, None, None], masks.shape)
    assert value(loss, masks, logits, per_picture) == pytest.approx(value(loss, masks, logits, per_pixel))
    ones = np.ones(masks.shape, "float32")
    assert value(loss, masks, logits, ones) == pytest.approx(value(loss, masks, logits), rel=1e-6)
    other = np.where(per_pixel[..., None] == 0, random(logits.shape, 9), logits)
    assert value(loss, masks, other, per_pixel) == pytest.approx(value(loss, masks, logits, per_pixel))


def test_cross_entropy_with_weights_is_the_sum_of_weighted_pixels_over_counted_ones():
    masks, logits = masks_and_logits()
    weights = np.abs(random(masks.shape, 7))
    per_pixel = keras.losses.SparseCategoricalCrossentropy(True, 255, reduction=None)(masks, logits)
    expected = (ops.convert_to_numpy(per_pixel) * weights)[masks != 255].sum() / (masks != 255).sum()
    assert value(losses.CrossEntropy(), masks, logits, weights) == pytest.approx(expected, rel=1e-5)


@every_loss
def test_losses_survive_saving(loss, tmp_path):
    masks, logits = masks_and_logits()
    model = keras.Sequential([keras.Input(logits.shape[1:]), keras.layers.Conv2D(5, 1)])
    model.compile("sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    arguments = {"verbose": 0}
    assert again.evaluate(logits, masks, **arguments) == pytest.approx(
        model.evaluate(logits, masks, **arguments)
    )
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert value(copy, masks, logits) == pytest.approx(value(loss, masks, logits))


@every_loss
def test_training_in_mixed_precision_stays_finite(loss):
    scenes = data.load("digits", size=24, limit=8)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        keras.utils.set_random_seed(0)
        body = [keras.layers.Conv2D(8, 3, padding="same", activation="relu"), keras.layers.Conv2D(11, 1)]
        model = keras.Sequential([keras.Input((24, 24, 1)), *body])
        model.compile(keras.optimizers.Adam(1e-2), loss=loss)
        history = model.fit(scenes.batches(8), epochs=30, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history).all() and history[-1] < history[0]


def test_sum_is_the_sum():
    masks, logits = masks_and_logits()
    parts = [value(loss, masks, logits) for loss in (losses.CrossEntropy(), losses.Dice())]
    both = losses.Sum([losses.CrossEntropy(), losses.Dice()], weights=[2.0, 3.0])
    assert value(both, masks, logits) == pytest.approx(2 * parts[0] + 3 * parts[1], rel=1e-6)
    with pytest.raises(ValueError, match="2 losses need as many weights, not 1"):
        losses.Sum([losses.CrossEntropy(), losses.Dice()], weights=[1.0])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"dice takes masks \(B, H, W\).*\(2, 4, 4, 1\)"):
        losses.Dice()(np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 3)))


# --- U-Net's border weights -----------------------------------------------------------------------


def test_border_weights_by_hand():
    masks = np.zeros((1, 5, 9), int)
    masks[0, :, :3] = masks[0, :, 5:] = 1                                # two cells, two columns between
    weights = losses.border_weights(masks, w0=10, sigma=5)
    assert weights.dtype == np.float32 and weights.shape == masks.shape
    background, cell = 45 / (2 * 10), 45 / (2 * 35)
    border = 10 * np.exp(-((1 + 2) ** 2) / (2 * 5**2))
    np.testing.assert_allclose(weights[0, 2], [cell] * 3 + [background + border] * 2 + [cell] * 4, rtol=1e-6)


def test_border_weights_follow_the_formula_on_cells():
    cells = data.load("cells", limit=1)
    weights = losses.border_weights(cells.masks, background=cells.background)
    mask = cells.masks[0]
    labels, count = ndimage.label(mask == 1 - cells.background)
    assert count > 2
    y, x = np.argwhere(mask == cells.background)[17]
    nearest = sorted(np.hypot(*(np.argwhere(labels == i) - (y, x)).T).min() for i in range(1, count + 1))
    balance = mask.size / 2 / (mask == cells.background).sum()
    expected = balance + 10 * np.exp(-((nearest[0] + nearest[1]) ** 2) / 50)
    assert weights[0, y, x] == pytest.approx(expected, rel=1e-5)


def test_border_weights_where_there_is_no_border():
    masks = np.zeros((3, 6, 6), int)
    masks[1, 2:4, 2:4] = 1
    masks[2, :, 3] = 255
    weights = losses.border_weights(masks)
    assert (weights[2, :, 3] == 0).all() and np.isfinite(weights).all()
    assert len(np.unique(weights[0])) == 1
    touching = np.zeros((1, 4, 6), int)
    touching[0, :, :2], touching[0, :, 3:] = 1, 2                        # ids of single cells do as well
    assert losses.border_weights(touching)[0, 0, 2] > losses.border_weights(masks)[0, 0, 0] + 5
    with pytest.raises(ValueError, match=r"\(N, H, W\).*\(6, 6\)"):
        losses.border_weights(masks[0])
