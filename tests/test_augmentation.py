"""Augmentation: a picture and its mask change alike, on every back-end."""

import keras
import numpy as np
import pytest

from course_utils import data
from course_utils.data import augment

CHANGES = {
    "flip": {"flip": True},
    "vertical flip": {"vertical_flip": True},
    "zoom": {"zoom": 0.4},
    "rotation": {"rotation": 40},
    "translation": {"translation": 0.3},
    "shear": {"shear": 20},
    "crop": {"crop": (24, 32)},
    "all": {
        "flip": True, "vertical_flip": True, "zoom": 0.3, "rotation": 30, "translation": 0.2, "shear": 10,
        "crop": (40, 40),
    },
}  # fmt: skip
each_change = pytest.mark.parametrize("options", CHANGES.values(), ids=CHANGES)


def masks_as_pictures(background=0):
    """Scenes whose pictures are their own masks, ids divided by 255."""
    scenes = data.load("digits", limit=12)
    return data.Segmentation(
        (scenes.masks / np.float32(255))[..., None], scenes.masks, scenes.class_names, scenes.background
    )


@each_change
def test_a_mask_passed_as_the_picture_stays_equal_to_the_mask(options):
    pairs = masks_as_pictures().batches(12, augment=augment(**options, interpolation="nearest"))
    images, masks = pairs[0]
    inside = masks != 255
    np.testing.assert_array_equal(np.rint(images[..., 0] * 255)[inside], masks[inside])
    assert (images[..., 0][~inside] == 0).all()  # black where the picture has ended
    assert inside.mean() > 0.4


@each_change
def test_with_bilinear_pictures_shape_and_mask_still_lie_upon_each_other(options):
    scenes = data.load("digits", limit=12)
    blobs = data.Segmentation(
        (scenes.masks != 10).astype(np.float32)[..., None], scenes.masks, scenes.class_names, 10
    )
    images, masks = blobs.batches(12, augment=augment(**options))[0]
    picture, mask = images[..., 0] > 0.5, (masks != 10) & (masks != 255)
    iou = (picture & mask).sum() / (picture | mask).sum()
    assert iou > 0.85


@each_change
def test_it_changes_something_and_keeps_types_and_range(options):
    scenes = data.load("digits", limit=12)
    images, masks = scenes.batches(12, augment=augment(**options))[0]
    assert images.dtype == np.float32 and masks.dtype == np.uint8
    assert images.min() >= 0 and images.max() <= 1
    assert images.shape[:3] == masks.shape
    assert images.shape != scenes.images.shape or not np.array_equal(images, scenes.images)
    assert set(np.unique(masks)) <= {*range(11), 255}


def test_colour_and_noise_leave_the_mask_alone():
    scenes = data.load("digits", limit=12)
    for options in ({"colour": 0.3}, {"noise": 0.1}):
        images, masks = scenes.batches(12, augment=augment(**options))[0]
        np.testing.assert_array_equal(masks, scenes.masks)
        assert 0.01 < abs(images - scenes.images).mean() < 0.3


def test_the_seed_determines_everything_and_epochs_differ():
    scenes = data.load("digits", limit=8)
    change = augment(rotation=20, noise=0.05)

    def two_epochs(seed, batch_size=8):
        batches = scenes.batches(batch_size, augment=change, seed=seed)
        epochs = []
        for _ in range(2):
            epochs.append(np.concatenate([batches[i][0] for i in range(len(batches))]))
            batches.on_epoch_end()
        return epochs

    first, second = two_epochs(0)
    assert not np.array_equal(first, second)
    again = two_epochs(0, batch_size=3)  # the same pictures, whatever the batches
    np.testing.assert_array_equal(first, again[0])
    np.testing.assert_array_equal(second, again[1])
    assert not np.array_equal(first, two_epochs(1)[0])


def test_half_of_the_pictures_are_flipped():
    scenes = data.load("digits", limit=200, size=24)
    images, _ = scenes.batches(200, augment=augment(flip=True))[0]
    flipped = [np.array_equal(a, b[:, ::-1]) for a, b in zip(images, scenes.images, strict=True)]
    assert 70 < sum(flipped) < 130


def test_rotation_by_hand():
    """A bar along the middle row, turned by a quarter turn, is a bar along the middle column."""

    class QuarterTurn:
        def uniform(self, low, high, size=None):
            return high if size is None else np.zeros(size)

    image, mask = np.zeros((5, 5, 1), np.float32), np.zeros((5, 5), np.uint8)
    image[2], mask[2] = 1, 1
    changed = augment(rotation=90)(image, mask, QuarterTurn())
    expected = np.zeros((5, 5))
    expected[:, 2] = 1
    np.testing.assert_allclose(changed["image"][..., 0], expected, atol=1e-6)
    np.testing.assert_array_equal(changed["mask"], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zoom": 1.0}, r"zoom=1\.0"),
        ({"interpolation": "cubic"}, "'bilinear' or 'nearest'"),
        ({"crop": (50, 10)}, r"crop=\(50, 10\) does not fit into a picture of 48×48"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        data.load("digits", limit=1).batches(1, augment=augment(**options))[0]


def test_picture_and_mask_of_different_size_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 4\), but its mask \(5, 5\)"):
        augment(flip=True)(np.zeros((4, 4, 1), np.float32), np.zeros((5, 5), np.uint8))


def test_albumentations_takes_its_place():
    albumentations = pytest.importorskip("albumentations")
    change = albumentations.Compose([
        albumentations.HorizontalFlip(p=1.0), albumentations.Rotate(20, p=1.0, fill_mask=255)
    ])  # fmt: skip
    pairs = masks_as_pictures().batches(4, augment=change)
    images, masks = pairs[0]
    assert images.shape == (4, 48, 48, 1) and images.dtype == np.float32 and masks.dtype == np.uint8
    digit = (masks < 10)
    assert abs(np.rint(images[..., 0] * 255)[digit].astype(int) - masks[digit]).mean() < 1.5


def test_fit_takes_augmented_batches():
    scenes = data.load("digits", limit=8, size=24)
    model = keras.Sequential([keras.Input((24, 24, 1)), keras.layers.Conv2D(11, 1)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255))
    history = model.fit(scenes.batches(4, augment=augment(rotation=30), shuffle=True), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
