"""toyvoc: the committed scenes, and the generator that draws them again."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_utils import data, metrics, toyvoc
from course_utils.data import _TOYVOC, VOC_CLASSES

LISTS = _TOYVOC / "ImageSets" / "Segmentation"
LISTED = {split: (LISTS / f"{split}.txt").read_text().split() for split in ("train", "val")}


@pytest.fixture(scope="module")
def splits():
    return {split: data.load("toyvoc", split) for split in ("train", "val")}


def test_it_has_the_promised_size(splits):
    assert len(splits["train"]) == 800 and len(splits["val"]) == 300
    for part in splits.values():
        assert part.images.shape[1:] == (96, 96, 3) and part.num_classes == 21
        assert part.class_names == VOC_CLASSES and part.background == 0
    assert sum(path.stat().st_size for path in _TOYVOC.rglob("*") if path.is_file()) <= 8e6


def test_no_scene_is_in_both_splits():
    assert not set(LISTED["train"]) & set(LISTED["val"])
    both = (LISTS / "trainval.txt").read_text().split()
    assert sorted(both) == sorted(LISTED["train"] + LISTED["val"])


def test_one_to_four_objects_a_scene_and_every_class_often(splits):
    shown = np.zeros(21, int)
    for part in splits.values():
        objects = part.instances.max(axis=(1, 2))
        assert objects.min() == 1 and objects.max() == 4
        shown += part.image_labels().sum(axis=0)
    assert shown[1:].min() >= 80


def test_class_masks_object_masks_and_void_fit_together(splits):
    for part in splits.values():
        for mask, instances in zip(part.masks, part.instances, strict=True):
            np.testing.assert_array_equal((mask > 0) & (mask < 255), instances > 0)
            for number in range(1, instances.max() + 1):
                assert len(np.unique(mask[instances == number])) == 1
                assert (instances == number).sum() >= 60
    share = np.mean(splits["val"].masks == 255)
    assert 0.02 < share < 0.08


def test_masks_are_palette_pictures_in_the_colours_of_voc():
    for folder in ("SegmentationClass", "SegmentationObject"):
        with Image.open(_TOYVOC / folder / f"{LISTED['val'][0]}.png") as mask:
            assert mask.mode == "P"
            np.testing.assert_array_equal(np.reshape(mask.getpalette(), (-1, 3)), data.voc_palette())


def test_annotations_box_the_objects(splits):
    for index, name in enumerate(LISTED["val"][:50]):
        objects = ET.parse(_TOYVOC / "Annotations" / f"{name}.xml").findall("object")
        instances, mask = splits["val"].instances[index], splits["val"].masks[index]
        assert len(objects) == instances.max()
        for number, annotation in enumerate(objects, start=1):
            rows, columns = np.nonzero(instances == number)
            box = {edge.tag: int(edge.text) for edge in annotation.find("bndbox")}
            assert box == {
                "xmin": columns.min() + 1, "ymin": rows.min() + 1,
                "xmax": columns.max() + 1, "ymax": rows.max() + 1,
            }  # fmt: skip
            assert VOC_CLASSES[mask[rows[0], columns[0]]] == annotation.findtext("name")


def test_lists_of_classes_say_which_scenes_show_them(splits):
    for split, part in splits.items():
        labels = part.image_labels()
        for k, name in enumerate(VOC_CLASSES[1:], start=1):
            rows = (_TOYVOC / "ImageSets" / "Main" / f"{name}_{split}.txt").read_text().splitlines()
            assert [row.split()[0] for row in rows] == LISTED[split]
            np.testing.assert_array_equal([row.endswith(" 1") for row in rows], labels[:, k])


def test_the_generator_draws_the_committed_pixels_again():
    """Every seventh scene: its digest from before JPEG, its mask, its picture as far as JPEG keeps it."""
    digests = dict(line.split() for line in (_TOYVOC / "pixels.txt").read_text().splitlines())
    for index, classes in enumerate(toyvoc.deal(1100, 2012)):
        if index % 7:
            continue
        name = f"toy_{index + 1:04d}"
        image, mask, instances, _ = toyvoc.scene((2012, index), classes=classes)
        assert toyvoc.digest(image, mask, instances) == digests[name], name
        committed = np.asarray(Image.open(_TOYVOC / "SegmentationClass" / f"{name}.png"))
        np.testing.assert_array_equal(mask, committed)
        picture = np.asarray(Image.open(_TOYVOC / "JPEGImages" / f"{name}.jpg"), float)
        assert abs(picture - image).mean() < 10


def test_a_scene_depends_on_its_seed_alone():
    first = toyvoc.scene(7)
    np.random.seed(1)  # noqa: NPY002, the global generator must not matter
    toyvoc.scene(8)
    for one, again in zip(first[:3], toyvoc.scene(7)[:3], strict=True):
        np.testing.assert_array_equal(one, again)
    assert not np.array_equal(first[0], toyvoc.scene(8)[0])


def test_scenes_come_in_other_sizes_and_with_chosen_classes():
    image, mask, _, boxes = toyvoc.scene(0, size=160, classes=[8, 12])
    assert image.shape == (160, 160, 3) and {8, 12} == {int(b.class_id) for b in boxes}
    assert {8, 12} <= set(np.unique(mask))
    with pytest.raises(ValueError, match="at least 48"):
        toyvoc.scene(0, size=40)
    with pytest.raises(ValueError, match="1 to 20"):
        toyvoc.scene(0, classes=[21])


def test_write_leaves_nothing_half_written(tmp_path, monkeypatch):
    toyvoc.write(tmp_path / "small", train=3, val=2)
    assert len(list((tmp_path / "small" / "JPEGImages").iterdir())) == 5
    with pytest.raises(FileExistsError, match="small: there already"):
        toyvoc.write(tmp_path / "small")
    monkeypatch.setattr(toyvoc.scenes, "_write_lists", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        toyvoc.write(tmp_path / "broken", train=1, val=1)
    assert [p.name for p in tmp_path.iterdir()] == ["small"]


def pixels(part, scenes, seed):
    """Colour and place of 200 pixels a scene, and their classes; void left out."""
    rng = np.random.default_rng(seed)
    features, ids = [], []
    for index in scenes:
        y, x = rng.integers(0, 96, (2, 200))
        counted = part.masks[index, y, x] != 255
        colour = part.images[index, y, x]
        features.append(np.column_stack([colour, x / 96, y / 96])[counted])
        ids.append(part.masks[index, y, x][counted])
    return np.concatenate(features), np.concatenate(ids)


@pytest.mark.parametrize("weight", [None, "balanced"])
def test_colour_and_place_do_not_give_the_class_away(splits, weight):
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight=weight))
    classifier.fit(*pixels(splits["train"], range(200), 0))
    features, truth = pixels(splits["val"], range(100), 1)
    confusion = metrics.confusion_matrix(truth, classifier.predict(features), 21)
    assert metrics.scores(confusion).mean_iou < 0.15
