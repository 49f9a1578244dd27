"""Pictures and masks of every kind: read rightly, or refused in one sentence that names the file."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_utils import data
from course_utils.data import folder, sources

NAMES = ("background", "cat", "dog")
IDS = np.array([[0, 1, 2, 255], [2, 2, 0, 0], [1, 1, 1, 1]], np.uint8)  # (3, 4), all ids and void
RGB = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)


@pytest.fixture
def pair(tmp_path):
    """A folder with one good pair; a test then spoils it."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    Image.fromarray(RGB).save(tmp_path / "images" / "a.png")
    Image.fromarray(IDS).save(tmp_path / "masks" / "a.png")
    return tmp_path


def load(path, **options):
    return data.load_folder(path / "images", path / "masks", class_names=NAMES, **options)


def refused(path, *words, **options):
    """The folder is refused, in one sentence with these words."""
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        load(path, **options)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert re.search(word, message), message


def replace_picture(path, picture, name="a.png", **options):
    (path / "images" / "a.png").unlink()
    picture.save(path / "images" / name, **options)


def replace_mask(path, mask, name="a.png"):
    (path / "masks" / "a.png").unlink()
    if isinstance(mask, np.ndarray):
        np.save(path / "masks" / name, mask)
    else:
        mask.save(path / "masks" / name)


def test_the_good_pair_is_read(pair):
    segmentation = load(pair)
    np.testing.assert_array_equal(segmentation.masks[0], IDS)
    np.testing.assert_allclose(segmentation.images[0], RGB / 255, atol=1e-6)
    assert segmentation.class_names == NAMES


# --- files and folders ----------------------------------------------------------------------------


def test_a_folder_that_is_not_there(pair):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder; correct"):
        data.load_folder(pair / "nowhere", pair / "masks", class_names=NAMES)


def test_an_empty_folder(pair):
    (pair / "images" / "a.png").unlink()
    refused(pair, r"images: no file with a name in", "right folder")


def test_a_picture_without_a_mask(pair):
    Image.fromarray(RGB).save(pair / "images" / "b.png")
    refused(pair, r"b\.png: no mask of that name in .*masks", "add it, or remove")


def test_a_mask_without_a_picture(pair):
    Image.fromarray(IDS).save(pair / "masks" / "b.png")
    refused(pair, r"b\.png: no picture of that name in .*images")


def test_two_stems_that_collide(pair):
    Image.fromarray(RGB).save(pair / "images" / "a.jpg")
    refused(pair, r"a\.png: a\.jpg has the same stem; rename")


def test_files_that_are_no_pictures_are_passed_over(pair):
    (pair / "images" / "Thumbs.db").write_text("x")
    (pair / "images" / ".hidden.png").write_text("x")
    (pair / "masks" / "notes.txt").write_text("x")
    assert len(load(pair)) == 1


def test_a_path_with_spaces_and_accents(pair):
    moved = pair.rename(pair.with_name("été à la mer, 海"))
    assert len(load(moved)) == 1


def test_a_name_with_upper_case_suffix(pair):
    replace_picture(pair, Image.fromarray(RGB), "a.PNG")
    assert len(load(pair)) == 1


def test_a_truncated_jpeg(pair):
    big = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    replace_picture(pair, big, "a.jpg")
    whole = (pair / "images" / "a.jpg").read_bytes()
    (pair / "images" / "a.jpg").write_bytes(whole[: len(whole) // 2])
    refused(pair, r"a\.jpg: the picture is damaged or cut short", "fetch it anew")


def test_a_truncated_png_mask(pair):
    whole = (pair / "masks" / "a.png").read_bytes()
    (pair / "masks" / "a.png").write_bytes(whole[:-25])
    refused(pair, r"masks/a\.png: the picture is damaged")


def test_a_png_that_is_text(pair):
    (pair / "images" / "a.png").write_text("not a picture")
    refused(pair, r"a\.png: no picture that Pillow can read; save it as PNG")


def test_an_empty_file(pair):
    (pair / "images" / "a.png").write_bytes(b"")
    refused(pair, r"a\.png: no picture")


def test_a_directory_with_the_name_of_a_picture(pair):
    (pair / "images" / "a.png").unlink()
    (pair / "images" / "a.png").mkdir()
    refused(pair, r"a\.png: no such file")


# --- kinds of pictures ----------------------------------------------------------------------------


def test_grey_pictures_become_rgb(pair):
    replace_picture(pair, Image.fromarray(RGB[..., 0]))
    image = load(pair).images[0]
    np.testing.assert_allclose(image, np.repeat(RGB[..., :1], 3, axis=-1) / 255, atol=1e-6)


def test_rgba_pictures_are_laid_on_white(pair):
    alpha = np.full((3, 4, 1), 255, np.uint8)
    alpha[0, 0] = 0
    replace_picture(pair, Image.fromarray(np.concatenate([RGB, alpha], axis=-1)))
    image = load(pair).images[0]
    np.testing.assert_allclose(image[0, 0], [1, 1, 1])
    np.testing.assert_allclose(image[1:], RGB[1:] / 255, atol=1e-6)


def test_palette_pictures_are_read_by_their_colours(pair):
    picture = Image.fromarray(IDS % 3)
    palette = picture.convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    replace_picture(pair, palette)
    np.testing.assert_allclose(load(pair).images[0, 0, 1] * 255, [40, 50, 60], atol=1e-4)


def test_sixteen_bit_pictures_keep_their_range(pair):
    values = np.array([[0, 257, 65535, 32896]] * 3, np.uint16)
    replace_picture(pair, Image.fromarray(values))
    np.testing.assert_allclose(load(pair).images[0, 0, :, 0] * 255, [0, 1, 255, 128], atol=1e-3)


def test_float_pictures_are_refused(pair):
    replace_picture(pair, Image.fromarray(np.ones((3, 4), np.float32)), "a.tif")
    refused(pair, r"a\.tif: pixels from 1 to 1 \(F\)", "8 or 16 bits")


def test_cmyk_pictures_become_rgb(pair):
    red = Image.new("CMYK", (4, 3), (0, 255, 255, 0))
    replace_picture(pair, red, "a.jpg", quality=95)
    np.testing.assert_allclose(load(pair).images[0, 1, 1], [1, 0, 0], atol=0.05)


def test_pictures_that_a_camera_turned_are_turned_back(pair):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(RGB)))  # (4, 3) as stored
    replace_picture(pair, turned, exif=exif)
    np.testing.assert_allclose(load(pair).images[0], RGB / 255, atol=1e-6)


def test_one_bit_pictures(pair):
    replace_picture(pair, Image.fromarray(RGB[..., 0] > 127))
    np.testing.assert_array_equal(load(pair).images[0, ..., 0], RGB[..., 0] > 127)


# --- sizes ----------------------------------------------------------------------------------------


def test_a_mask_of_another_size_than_its_picture(pair):
    replace_mask(pair, Image.fromarray(np.zeros((3, 5), np.uint8)))
    refused(pair, r"masks/a\.png: 5×3, but its picture .*images/a\.png is 4×3", r"size=\(H, W\)")


def test_pictures_of_different_sizes(pair):
    Image.fromarray(np.zeros((6, 7, 3), np.uint8)).save(pair / "images" / "b.png")
    Image.fromarray(np.zeros((6, 7), np.uint8)).save(pair / "masks" / "b.png")
    refused(pair, r"b\.png: 7×6, but .*a\.png is 4×3", r"size=\(H, W\)")
    assert load(pair, size=(8, 10)).images.shape == (2, 8, 10, 3)


def test_masks_are_resized_by_nearest_neighbour(pair):
    mask = load(pair, size=(30, 40)).masks[0]
    np.testing.assert_array_equal(mask, np.kron(IDS, np.ones((10, 10), np.uint8)))


# --- masks ----------------------------------------------------------------------------------------


def test_palette_masks_are_read_by_their_index(pair):
    mask = Image.fromarray(IDS).convert("P")
    mask.putpalette(data.voc_palette().ravel().tolist())
    replace_mask(pair, mask)
    np.testing.assert_array_equal(load(pair).masks[0], IDS)


def test_sixteen_bit_masks_hold_ids(pair):
    replace_mask(pair, Image.fromarray(IDS.astype(np.uint16)))
    np.testing.assert_array_equal(load(pair).masks[0], IDS)


def test_rgb_masks_by_the_voc_palette(pair):
    replace_mask(pair, Image.fromarray(data.voc_palette()[IDS]))
    np.testing.assert_array_equal(load(pair).masks[0], IDS)


def test_rgb_masks_by_a_table_of_colours(pair):
    table = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)
    replace_mask(pair, Image.fromarray(table[IDS % 3]))
    np.testing.assert_array_equal(load(pair, colours=table).masks[0], IDS % 3)


def test_an_unknown_colour_in_an_rgb_mask(pair):
    rgb = np.zeros((3, 4, 3), np.uint8)
    rgb[0, 0] = (1, 2, 3)
    replace_mask(pair, Image.fromarray(rgb))
    refused(pair, r"masks/a\.png: the colour \(1, 2, 3\) stands for no class", "colours=")


def test_masks_as_arrays_of_ids(pair):
    replace_mask(pair, IDS.astype(np.int64), "a.npy")
    np.testing.assert_array_equal(load(pair).masks[0], IDS)


def test_masks_as_one_hot_arrays(pair):
    replace_mask(pair, np.eye(3, dtype=np.float32)[IDS % 3], "a.npy")
    np.testing.assert_array_equal(load(pair).masks[0], IDS % 3)


def test_an_array_that_is_almost_one_hot(pair):
    hot = np.eye(3)[IDS % 3]
    hot[0, 0] = 1
    replace_mask(pair, hot, "a.npy")
    refused(pair, r"a\.npy: shape \(3, 4, 3\), but not one-hot")


def test_an_array_of_another_shape(pair):
    replace_mask(pair, np.zeros((3, 4, 2)), "a.npy")
    refused(pair, r"a\.npy: float64 of shape \(3, 4, 2\)", r"one-hot \(H, W, 3\)")


def test_negative_ids(pair):
    replace_mask(pair, IDS.astype(int) - 1, "a.npy")
    refused(pair, r"a\.npy: holds the id -1; ids begin at 0")


def test_a_pickled_array_is_not_unpickled(pair):
    class Trap:
        def __reduce__(self):
            return Path.touch, (pair / "sprung",)

    replace_mask(pair, np.array([Trap()], dtype=object), "a.npy")
    refused(pair, r"a\.npy: no plain array", "np.save as numbers")
    assert not (pair / "sprung").exists()


def test_ids_out_of_range(pair):
    replace_mask(pair, Image.fromarray(np.full((3, 4), 7, np.uint8)))
    refused(pair, r"masks/a\.png: holds the id 7, but there are 3 class names, for the ids 0 to 2")


def test_ids_above_255(pair):
    replace_mask(pair, Image.fromarray(np.full((3, 4), 300, np.uint16)))
    refused(pair, r"masks/a\.png: holds the id 300")


def test_another_void(pair):
    replace_mask(pair, Image.fromarray(np.where(IDS == 255, 9, IDS).astype(np.uint8)))
    segmentation = load(pair, void=9)
    assert segmentation.void == 9 and 9 in segmentation.masks


def test_class_names_too_few_or_twice(pair):
    with pytest.raises(ValueError, match=r"holds the id 2, but there are 2 class names"):
        data.load_folder(pair / "images", pair / "masks", class_names=("background", "cat"))
    with pytest.raises(ValueError, match="a name of its own"):
        data.load_folder(pair / "images", pair / "masks", class_names=("cat", "cat"))


def test_a_table_of_colours_that_is_too_short(pair):
    refused(pair, r"shape \(2, 3\); 3 class names need \(3, 3\)", colours=[[0, 0, 0], [1, 1, 1]])


# --- folders in the layout of PASCAL VOC ----------------------------------------------------------


@pytest.fixture
def voc(tmp_path, monkeypatch):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    for name in ("x1", "x2"):
        Image.fromarray(RGB).save(root / "JPEGImages" / f"{name}.jpg")
        Image.fromarray(IDS).save(root / "SegmentationClass" / f"{name}.png")
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("x1\nx2\n")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    return root


def test_voc_is_found_in_the_data_folder(voc):
    segmentation = data.load("voc2012", size=(3, 4))
    assert len(segmentation) == 2 and segmentation.num_classes == 21
    np.testing.assert_array_equal(segmentation.masks[1], IDS)


def test_a_list_that_names_a_missing_file(voc):
    (voc / "SegmentationClass" / "x2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"x2\.png: no such file, but .*train\.txt names it"):
        data.load("voc2012")


def test_a_list_that_is_not_there(voc):
    with pytest.raises(FileNotFoundError, match=r"test\.txt: no such list; of this set there is train"):
        data.load("voc2012", "test")


def test_an_empty_list(voc):
    (voc / "ImageSets" / "Segmentation" / "train.txt").write_text("")
    with pytest.raises(ValueError, match=r"train\.txt: the list is empty"):
        data.load("voc2012")


# --- downloads ------------------------------------------------------------------------------------


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    """A publisher on this machine: an archive by file://, and an empty data folder."""
    import hashlib
    import tarfile

    source = tmp_path / "publisher" / "VOCdevkit" / "VOC2012"
    (source / "JPEGImages").mkdir(parents=True)
    (source / "SegmentationClass").mkdir()
    (source / "ImageSets" / "Segmentation").mkdir(parents=True)
    Image.fromarray(RGB).save(source / "JPEGImages" / "x1.jpg")
    Image.fromarray(IDS).save(source / "SegmentationClass" / "x1.png")
    (source / "ImageSets" / "Segmentation" / "train.txt").write_text("x1\n")
    archive = tmp_path / "publisher" / "voc.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(source.parent, "VOCdevkit")
    target = tmp_path / "data"
    target.mkdir()
    monkeypatch.setenv("COURSE_DATA_DIR", str(target))
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(sources.VOC_ARCHIVES, 2012, (archive.as_uri(), md5))
    return archive, target


def test_a_set_is_fetched_unpacked_and_kept(publisher):
    archive, target = publisher
    assert len(data.load("voc2012", size=8)) == 1
    archive.unlink()
    assert len(data.load("voc2012", size=8)) == 1  # the second time from the folder
    assert [p.name for p in (target / "VOCdevkit").iterdir()] == ["VOC2012"]


def nothing_left(target):
    return not any(p.is_file() for p in target.rglob("*")) and not (target / "VOCdevkit" / "VOC2012").exists()


def test_a_wrong_hash(publisher, monkeypatch):
    archive, target = publisher
    monkeypatch.setitem(sources.VOC_ARCHIVES, 2012, (archive.as_uri(), "0" * 32))
    with pytest.raises(OSError, match=r"voc\.tar: could not be fetched.*COURSE_DATA_DIR"):
        data.load("voc2012")
    assert nothing_left(target)


def test_an_interrupted_download(publisher, monkeypatch):
    archive, target = publisher
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(OSError, match="could not be fetched"):
        data.load("voc2012")
    assert nothing_left(target)


def test_a_download_that_the_student_stops(publisher, monkeypatch):
    import keras

    _, target = publisher

    def stopped(**options):
        (Path(options["cache_dir"]) / "half").write_text("half an archive")
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.utils, "get_file", stopped)
    with pytest.raises(KeyboardInterrupt):
        data.load("voc2012")
    assert nothing_left(target)


def test_a_cache_folder_that_cannot_be_written(publisher, monkeypatch):
    def read_only(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(OSError, match=r"could not be fetched.*Permission denied"):
        data.load("voc2012")


def test_no_network(publisher, monkeypatch):
    _, target = publisher
    monkeypatch.setitem(sources.VOC_ARCHIVES, 2012, ("http://127.0.0.1:9/voc.tar", "0" * 32))
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9/voc\.tar: could not be fetched"):
        data.load("voc2012")
    assert nothing_left(target)


@pytest.mark.parametrize("name", ["m2nist", "membrane"])
def test_a_set_that_nobody_offers_says_what_to_do(name, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"{name}: not found.*COURSE_DATA_DIR"):
        data.load(name)
    monkeypatch.delenv("COURSE_DATA_DIR")
    with pytest.raises(FileNotFoundError, match=f"{name}: not found"):
        data.load(name)


@pytest.mark.parametrize("coding", ["ids", "one-hot"])
def test_both_codings_of_m2nist(coding, monkeypatch, tmp_path):
    ids = np.random.default_rng(0).integers(0, 11, (1002, 4, 5), np.uint8)
    (tmp_path / "m2nist").mkdir()
    np.save(tmp_path / "m2nist" / "combined.npy", ids)
    np.save(tmp_path / "m2nist" / "segmented.npy", ids if coding == "ids" else np.eye(11)[ids])
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    for split, part in (("train", ids[:2]), ("val", ids[2:502]), ("test", ids[502:])):
        np.testing.assert_array_equal(data.load("m2nist", split).masks, part)


def test_m2nist_with_arrays_that_do_not_fit(monkeypatch, tmp_path):
    (tmp_path / "m2nist").mkdir()
    np.save(tmp_path / "m2nist" / "combined.npy", np.zeros((1002, 4, 5), np.uint8))
    np.save(tmp_path / "m2nist" / "segmented.npy", np.zeros((1001, 4, 5), np.uint8))
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    with pytest.raises(ValueError, match=r"m2nist: pictures \(1002, 4, 5\) and masks \(1001, 4, 5\)"):
        data.load("m2nist")


# --- reading when needed --------------------------------------------------------------------------


def test_a_large_set_is_read_when_needed_and_gives_the_same(pair, monkeypatch):
    for k in range(6):
        Image.fromarray(np.roll(RGB, k, axis=0)).save(pair / "images" / f"p{k}.png")
        Image.fromarray(np.roll(IDS, k, axis=0)).save(pair / "masks" / f"p{k}.png")
    eager = load(pair)
    monkeypatch.setattr(sources, "EAGER_BYTES", 0)
    lazy = load(pair)
    assert isinstance(lazy.images, data.LazyArray) and isinstance(eager.images, np.ndarray)
    for mine, theirs in zip(lazy.batches(4, shuffle=True), eager.batches(4, shuffle=True), strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])
        np.testing.assert_array_equal(mine[1], theirs[1])
    np.testing.assert_array_equal(lazy.image_labels(), eager.image_labels())
    np.testing.assert_array_equal(lazy.subset(["dog"]).masks, eager.subset(["dog"]).masks)
    np.testing.assert_array_equal(lazy.subset(["dog"]).images, eager.subset(["dog"]).images)
    np.testing.assert_array_equal(np.asarray(lazy.images), eager.images)


def test_a_damaged_file_of_a_large_set_is_named_when_it_is_met(pair, monkeypatch):
    monkeypatch.setattr(sources, "EAGER_BYTES", 0)
    lazy = load(pair, size=(3, 4))
    (pair / "masks" / "a.png").write_text("spoiled")
    with pytest.raises(ValueError, match=r"masks/a\.png"):
        lazy.batches(1)[0]


def test_reading_a_picture_by_itself(pair):
    assert folder.read_picture(pair / "images" / "a.png", (6, 8)).shape == (6, 8, 3)
    with pytest.raises(FileNotFoundError, match=r"b\.png: no such file"):
        folder.read_picture(pair / "images" / "b.png")
