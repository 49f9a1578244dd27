"""Data: the digits scenes, the photographs, `Segmentation` and its batches."""

import itertools
import re
import sys
import time

import keras
import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from course_utils import data
from course_utils.data import scenes as scenes_module


@pytest.fixture(scope="module")
def scenes():
    return data.load("digits", limit=60)


def small(**changes):
    fields = {
        "images": np.zeros((2, 4, 4, 1), np.float32),
        "masks": np.array([np.eye(4), np.full((4, 4), 2)], np.uint8),
        "class_names": ("background", "cat", "dog"),
        "background": 0,
    }
    return data.Segmentation(**{**fields, **changes})


def test_digits_have_the_promised_form(scenes):
    assert scenes.images.shape == (60, 48, 48, 1)
    assert scenes.images.dtype == np.float32
    assert scenes.images.min() >= 0 and scenes.images.max() <= 1
    assert scenes.masks.shape == (60, 48, 48) and scenes.masks.dtype == np.uint8
    assert scenes.class_names == (*"0123456789", "background")
    assert scenes.background == 10 and scenes.num_classes == 11
    assert repr(scenes) == "Segmentation(60 pictures of 48×48×1, 11 classes)"


def test_digits_scenes_hold_one_to_three_digits_of_one_class_each(scenes):
    counts = [scene.max() for scene in scenes.instances]
    assert set(counts) == {1, 2, 3}
    for mask, instances in zip(scenes.masks, scenes.instances, strict=True):
        np.testing.assert_array_equal(instances > 0, mask != 10)
        for number in range(1, instances.max() + 1):
            assert len(np.unique(mask[instances == number])) == 1
            assert (instances == number).sum() > 15  # no digit hidden behind another


@pytest.mark.parametrize("size", [24, 32])
def test_instances_are_numbered_without_a_gap_where_room_is_short(size):
    for instances in data.load("digits", size=size, limit=300).instances:
        assert set(np.unique(instances)) == set(range(instances.max() + 1))


def test_digits_are_brighter_than_their_ground(scenes):
    for image, mask in zip(scenes.images[..., 0], scenes.masks, strict=True):
        assert image[mask != 10].mean() > image[mask == 10].mean() + 0.1


def test_every_digit_occurs_in_every_split():
    for split, count in (("train", 1500), ("val", 300), ("test", 300)):
        scenes = data.load("digits", split)
        assert len(scenes) == count
        assert (scenes.image_labels()[:, :10].sum(axis=0) > 0.1 * count).all()


def test_splits_share_no_handwritten_digit(monkeypatch):
    used = {}
    for split in ("train", "val", "test"):
        monkeypatch.setattr(
            scenes_module, "_digits_scenes", lambda ink, *_, split=split: used.update({split: ink})
        )
        data.load("digits", split)
    digits = np.concatenate(list(used.values())) * 16
    used_once, all_digits = (np.sort([d.tobytes() for d in ds]) for ds in (digits, load_digits().images))
    np.testing.assert_array_equal(used_once, all_digits)


def test_a_scene_does_not_depend_on_the_limit(scenes):
    few = data.load("digits", limit=5)
    np.testing.assert_array_equal(few.images, scenes.images[:5])
    assert not np.array_equal(data.load("digits", "val", limit=5).images, few.images)


def test_digits_come_in_any_size_from_24():
    assert data.load("digits", size=(32, 64), limit=3).images.shape == (3, 32, 64, 1)
    assert data.load("digits", size=24, limit=3).masks.shape == (3, 24, 24)
    with pytest.raises(ValueError, match=r"20×20.*24×24"):
        data.load("digits", size=20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "digit"}, r"no data set 'digit'; there is digits"),
        ({"name": "digits", "split": "valid"}, r"no split 'valid'; use 'train', 'val' or 'test'"),
        ({"name": "digits", "limit": 0}, r"limit=0.*at least one"),
    ],
)
def test_wrong_arguments_get_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        data.load(**arguments)
    assert "\n" not in str(error.value)


def test_names_lists_what_load_knows():
    assert "digits" in data.names()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((2, 4, 4), np.float32)}, r"float32 \(2, 4, 4\)"),
        ({"images": np.zeros((2, 4, 4, 1))}, r"float64"),
        ({"masks": np.zeros((2, 4, 5), np.uint8)}, r"\(2, 4, 5\).*\(2, 4, 4\)"),
        ({"masks": np.zeros((2, 4, 4), int)}, r"int64"),
        ({"masks": np.full((2, 4, 4), 3, np.uint8)}, r"id 3.*3 class names.*0 to 2"),
        ({"images": np.full((2, 4, 4, 1), np.nan, np.float32)}, r"from nan to nan"),
        ({"images": np.full((2, 4, 4, 1), 255, np.float32)}, r"from 255 to 255.*0 … 1"),
        ({"instances": np.zeros((2, 4, 5), np.uint8)}, r"instances are \(2, 4, 5\)"),
        ({"background": 3}, r"background=3.*0 to 2"),
    ],
)
def test_a_segmentation_that_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_void_is_no_class():
    segmentation = small(masks=np.full((2, 4, 4), 255, np.uint8))
    assert not segmentation.image_labels().any()


def test_image_labels_by_hand():
    np.testing.assert_array_equal(small().image_labels(), [[True, True, False], [False, False, True]])


def test_subset_keeps_pictures_and_renumbers_classes():
    cats = small(class_names=("other", "cat", "dog")).subset(["cat"])
    assert cats.class_names == ("other", "cat") and cats.background == 0 and len(cats) == 1
    np.testing.assert_array_equal(cats.masks[0], np.eye(4))
    dogs = small().subset([2])
    assert dogs.class_names == ("background", "dog")
    assert (dogs.masks == 1).all()


def test_subset_keeps_a_background_that_is_last(scenes):
    threes = scenes.subset(["3", 7])
    assert threes.class_names == ("3", "7", "background") and threes.background == 2
    kept = scenes.image_labels()[:, [3, 7]].any(axis=1)
    np.testing.assert_array_equal(threes.masks == 0, scenes.masks[kept] == 3)
    np.testing.assert_array_equal(threes.masks == 1, scenes.masks[kept] == 7)
    assert len(threes.instances) == kept.sum()


def test_subset_without_background_leaves_void():
    alone = small(background=None).subset(["cat"])
    assert alone.class_names == ("cat",)
    assert set(np.unique(alone.masks)) == {0, 255}


def test_subset_of_an_unknown_class_is_refused():
    with pytest.raises(ValueError, match=r"no class 'horse' here; there are background, cat, dog"):
        small().subset(["horse"])
    with pytest.raises(ValueError, match=r"\['cat'\]"):
        small().subset("cat")
    for nothing in ([], ["background"]):
        with pytest.raises(ValueError, match="at least one class"):
            small().subset(nothing)


def test_batches_cover_every_picture_once(scenes):
    batches = scenes.batches(16, shuffle=True, seed=1)
    assert isinstance(batches, keras.utils.PyDataset)
    sizes = [len(batches[i][0]) for i in range(len(batches))]
    assert sizes == [16, 16, 16, 12]
    shown = np.concatenate([batches[i][0] for i in range(len(batches))]).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(np.sort(shown), np.sort(scenes.images.sum(axis=(1, 2, 3))))


def test_batches_shuffle_anew_every_epoch_and_repeat_with_the_seed(scenes):
    def epochs(seed):
        batches = scenes.batches(60, shuffle=True, seed=seed)
        first = batches[0][1]
        batches.on_epoch_end()
        return first, batches[0][1]

    (a, b), (c, d) = epochs(0), epochs(0)
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(b, d)
    assert not np.array_equal(a, epochs(1)[0])


def test_batches_augment_picture_and_mask_together(scenes):
    def flip(image, mask):
        return {"image": image[:, ::-1], "mask": mask[:, ::-1]}

    images, masks = scenes.batches(4, augment=flip)[0]
    np.testing.assert_array_equal(images, scenes.images[:4, :, ::-1])
    np.testing.assert_array_equal(masks, scenes.masks[:4, :, ::-1])


def test_batches_refuse_what_is_out_of_range(scenes):
    with pytest.raises(ValueError, match="batch_size=0"):
        scenes.batches(0)
    with pytest.raises(IndexError, match="batch 4 of 4"):
        scenes.batches(16)[4]


def test_photographs_without_real_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    train, source = data.photographs(limit=50)
    assert "scikit-learn" in source
    assert train.shape == (50, 64, 64, 3) and train.dtype == np.float32
    assert 0 <= train.min() < 0.1 and 0.9 < train.max() <= 1
    np.testing.assert_array_equal(data.photographs(limit=9)[0], train[:9])


def test_splits_of_photographs_share_no_window(monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    columns = {}  # every column of 64 pixels that a split shows
    for split in ("train", "val", "test"):
        windows = np.moveaxis(data.photographs(split)[0], 2, 1).reshape(-1, 64 * 3)
        columns[split] = {hash(column.tobytes()) for column in windows}
    for one, other in itertools.combinations(columns.values(), 2):
        assert not one & other


def test_a_picture_folder_that_is_not_there_gets_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "nowhere")) + ".*unset it") as error:
        data.photographs()
    assert "\n" not in str(error.value)


def test_photographs_of_voc_where_they_are(monkeypatch, tmp_path):
    from PIL import Image

    voc = tmp_path / "VOCdevkit" / "VOC2012"
    (voc / "JPEGImages").mkdir(parents=True)
    (voc / "ImageSets" / "Segmentation").mkdir(parents=True)
    for k in range(6):
        Image.new("RGB", (50, 40 + k), (40 * k, 0, 255)).save(voc / "JPEGImages" / f"p{k}.jpg")
    (voc / "ImageSets" / "Segmentation" / "train.txt").write_text("p0\np1\n")
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text("p2\np3\np4\np5\n")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    shapes = {split: data.photographs(split, size=32)[0].shape for split in ("train", "val", "test")}
    assert shapes == dict.fromkeys(("train", "val", "test"), (2, 32, 32, 3))
    assert data.photographs()[1] == "PASCAL VOC 2012"
    red = data.photographs("val", size=8)[0][:, 4, 4, 0]
    np.testing.assert_allclose(red, [80 / 255, 160 / 255], atol=0.02)


def test_cells_touch_and_are_told_apart():
    cells = data.load("cells", limit=6)
    assert cells.images.shape == (6, 96, 96, 1) and cells.class_names == ("background", "cell")
    for image, mask, instances in zip(cells.images, cells.masks, cells.instances, strict=True):
        np.testing.assert_array_equal(mask == 1, instances > 0)
        assert 15 < instances.max() < 120
        assert image[mask == 1].mean() > image[mask == 0].mean() + 0.1
        highest = ndimage.grey_dilation(instances, 7)  # of the cells within three pixels
        lowest = ndimage.grey_erosion(np.where(instances > 0, instances, 255), 7)
        assert (highest > lowest)[instances > 0].mean() > 0.2
    assert not np.array_equal(data.load("cells", "test", limit=1).images, cells.images[:1])
    with pytest.raises(ValueError, match=r"31×31.*32×32"):
        data.load("cells", size=31)


@pytest.mark.parametrize("name", ["digits", "cells", "toyvoc"])
def test_embedded_sets_are_there_at_once(name):
    seconds = []
    for _ in range(2):  # the first time may be spent on waking up the disk
        start = time.perf_counter()
        data.load(name)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2


def test_take_picks_pictures_in_order(scenes):
    some = scenes.take([5, 2])
    np.testing.assert_array_equal(some.masks, scenes.masks[[5, 2]])
    np.testing.assert_array_equal(some.instances, scenes.instances[[5, 2]])


def test_without_tensorflow_datasets_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"mnist comes through TensorFlow Datasets.*pip install"):
        data.load("mnist")


def test_dogs_and_aeroplanes_show_one_of_both(monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    for split in ("train", "val"):
        found, source = data.dogs_and_aeroplanes(split, size=32)
        assert source == "toyvoc" and found.images.shape[1:] == (32, 32, 3)
        assert found.class_names == ("background", "aeroplane", "dog")
        shown = found.image_labels()[:, 1:]
        assert (shown.sum(axis=1) == 1).all() and shown.mean(axis=0).min() > 0.4


def test_windows_are_cut_around_each_class():
    masks = np.zeros((2, 20, 30), np.uint8)
    masks[0, 2:6, 10:14] = 1
    masks[1, 10:18, 0:4] = 2
    masks[1, 0:2, 28:30] = 1
    images = np.repeat((masks / 2)[..., None], 3, axis=-1).astype(np.float32)
    scenes = data.Segmentation(images, masks, ("ground", "a", "b"), background=0)
    windows, labels = data.cut_out(scenes, ["b", "a"], size=8, margin=1.0)
    assert labels.tolist() == [1, 0, 1] and windows.shape == (3, 8, 8, 3)
    np.testing.assert_allclose(windows[0][1:-1, 1:-1], 0.5, atol=0.01)  # the square is the object itself
    np.testing.assert_allclose(windows[1][1:-1, :3], 1, atol=0.01)  # moved into the scene at its border
    with pytest.raises(ValueError, match="no scene shows b"):
        data.cut_out(scenes.take([0]), ["b"])
