"""The published data sets, from `COURSE_DATA_DIR` or from their publisher."""

import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np

from course_utils.data import folder
from course_utils.data.segmentation import LazyArray, Segmentation

EAGER_BYTES = 1e9  # a set of more bytes than this is not held in memory but read picture by picture

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
_VOC_HOST = "http://host.robots.ox.ac.uk/pascal/VOC"
VOC_ARCHIVES = {  # year: (address, MD5)
    2012: (f"{_VOC_HOST}/voc2012/VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd"),
    2009: (f"{_VOC_HOST}/voc2009/VOCtrainval_11-May-2009.tar", "59065e4b188729180974ef6572f6a212"),
    2007: (f"{_VOC_HOST}/voc2007/VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64"),
}


def data_dir():
    """The folder of real data that `COURSE_DATA_DIR` names, or None where it is unset.

    Raises:
        FileNotFoundError: the folder is not there.
    """
    if not os.environ.get("COURSE_DATA_DIR"):
        return None
    path = Path(os.environ["COURSE_DATA_DIR"]).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(
            f"COURSE_DATA_DIR={path}: no such folder; correct the path, or unset it to work "
            "with the data that comes with the course."
        )
    return path


def find(*parts):
    """A file or folder under `COURSE_DATA_DIR`, or None."""
    path = data_dir()
    path = path and path.joinpath(*parts)
    return path if path and path.exists() else None


# --- files ----------------------------------------------------------------------------------------


def from_files(pairs, class_names, *, size=None, void=255, colours=None, background=None, instances=None):
    """A `Segmentation` of picture and mask files, read at once or, where it is large, when needed.

    Args:
        pairs: list of (picture, mask) paths.
        size: (H, W), or None where all pictures have one size.
        instances: list of paths of instance masks, or None.

    Raises:
        FileNotFoundError, ValueError: a sentence that names the file.
    """
    read_mask = partial(folder.read_mask, class_names=class_names, size=size, void=void, colours=colours)
    shape = size or folder.read_picture(pairs[0][0]).shape[:2]
    checked = _checked(pairs, partial(folder.read_picture, size=size), read_mask, shape)
    read_instances = partial(_read_instances, size=size, void=void)
    if instances is not None:
        instances = LazyArray(read_instances, instances, shape, np.uint8)
    if 4 * len(pairs) * np.prod(shape, dtype=float) * 3 <= EAGER_BYTES:
        images, masks = (np.stack(part) for part in zip(*checked, strict=True))
        images = images.astype(np.float32) / 255
        instances = None if instances is None else np.asarray(instances)
    else:
        if size is None:  # name a size that differs now, not in the middle of a training
            for _ in checked:
                pass
        images = LazyArray(partial(_read_unit, size=size), [p for p, _ in pairs], (*shape, 3), np.float32)
        masks = LazyArray(read_mask, [m for _, m in pairs], shape, np.uint8)
    return Segmentation(images, masks, tuple(class_names), background, instances, void)


def _checked(pairs, read_picture, read_mask, shape):
    """Pictures and masks one after the other, all of this shape."""
    for picture_path, mask_path in pairs:
        picture, mask = read_picture(picture_path), read_mask(mask_path)
        if mask.shape != picture.shape[:2]:
            raise ValueError(
                f"{mask_path}: {_size(mask)}, but its picture {picture_path} is {_size(picture)}. "
                "Resize one, or pass size=(H, W)."
            )
        if mask.shape != shape:
            raise ValueError(
                f"{picture_path}: {_size(picture)}, but {pairs[0][0]} is {shape[1]}×{shape[0]}. "
                "Pass size=(H, W) to bring all to one size."
            )
        yield picture, mask


def _size(picture):
    return f"{picture.shape[1]}×{picture.shape[0]}"


def _read_unit(path, size=None):
    return folder.read_picture(path, size).astype(np.float32) / 255


def _read_instances(path, size=None, void=255):
    ids = folder.read_mask(path, range(256), size=size, void=void)
    return np.where(ids == void, 0, ids).astype(np.uint8)


def load_folder(
    images, masks, *, class_names, size=None, void=255, colours=None, background=None, limit=None
):
    """Any folder of pictures with a folder of masks, paired by the stems of their names.

    Masks may be palette, grey (8 or 16 bits), RGB with a table of colours, or `.npy` arrays of ids
    or one-hot. Sets of more than a gigabyte are read picture by picture when they are needed.

    Args:
        images, masks: paths of the folders.
        class_names: K str, index = id.
        size: int or (H, W) to squeeze all into; None where all have one size.
        void: id of pixels that are never counted.
        colours: (K, 3) of 0 … 255, the colours of the classes in RGB masks; None for VOC's palette.
        background: id of the background class, or None.
        limit: int, at most so many pictures, None for all.

    Returns:
        A `Segmentation` with pictures in RGB, sorted by name.

    Raises:
        FileNotFoundError, ValueError: a sentence that names the file, what was found, what would do.
    """
    if isinstance(size, (int, np.integer)):
        size = (int(size), int(size))
    if len(class_names) < 1 or len(set(class_names)) < len(class_names):
        raise ValueError(f"class_names={tuple(class_names)}; give each class a name of its own.")
    if colours is not None and np.shape(colours) != (len(class_names), 3):
        raise ValueError(
            f"colours has shape {np.shape(colours)}; {len(class_names)} class names need "
            f"({len(class_names)}, 3), an RGB triple each."
        )
    pairs = folder.pairs(images, masks)[:limit]
    return from_files(
        pairs, class_names, size=size, void=void, colours=colours, background=background
    )


# --- PASCAL VOC -----------------------------------------------------------------------------------


def load_voc(root, split, size, limit):
    """A set in the folder layout of PASCAL VOC: pictures, class masks, lists; object masks too.

    Raises:
        FileNotFoundError: a list, or a file that it names, is not there.
    """
    listed = Path(root) / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not listed.is_file():
        there = ", ".join(sorted(p.stem for p in listed.parent.glob("*.txt"))) or "none"
        raise FileNotFoundError(f"{listed}: no such list; of this set there is {there}.")
    names = listed.read_text().split()[:limit]
    if not names:
        raise ValueError(f"{listed}: the list is empty; fetch the set anew.")
    pairs = [
        (root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png") for name in names
    ]
    objects = [root / "SegmentationObject" / f"{name}.png" for name in names]
    for path in (p for pair in pairs for p in pair):
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file, but {listed} names it; fetch the set anew.")
    if not all(path.is_file() for path in objects):
        objects = None
    return from_files(pairs, VOC_CLASSES, size=size, background=0, instances=objects)


def load_voc_year(year, split, size, limit):
    """PASCAL VOC of a year, squeezed to 128×128 unless another size is asked for."""
    root = find("VOCdevkit", f"VOC{year}") or _fetch_voc(year)
    return load_voc(root, split, size or (128, 128), limit)


def cache_dir():
    """Where downloads go: `COURSE_DATA_DIR`, or else Keras's own folder."""
    return data_dir() or Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"


def _fetch_voc(year):
    """Download and unpack a year of PASCAL VOC; nothing is left behind where it fails."""
    import keras

    address, md5 = VOC_ARCHIVES[year]
    target = cache_dir() / "VOCdevkit" / f"VOC{year}"
    if target.is_dir():
        return target
    partial_folder = target.with_name(f"VOC{year}.partial")
    try:
        partial_folder.mkdir(parents=True, exist_ok=True)
        archive = Path(
            keras.utils.get_file(
                origin=address, file_hash=md5, hash_algorithm="md5",
                cache_dir=partial_folder, cache_subdir="download", extract=False,
            )
        )
        shutil.unpack_archive(archive, partial_folder / "unpacked", filter="data")
        next((partial_folder / "unpacked").rglob(f"VOC{year}")).rename(target)
    except Exception as error:  # no network, a wrong hash, a full disk: the way out is the same
        raise OSError(
            f"{address}: could not be fetched ({error}). Fetch it by other means, unpack it, and let "
            f"COURSE_DATA_DIR name the folder that holds VOCdevkit/VOC{year}."
        ) from None
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return target


# --- arrays and stacks ----------------------------------------------------------------------------


def _missing(name, what):
    return FileNotFoundError(
        f"{name}: not found. No publisher offers it as a fixed download; put {what} into a folder, and "
        "let COURSE_DATA_DIR name that folder."
    )


def load_m2nist(split, size, limit):
    """M2NIST: up to three MNIST digits a scene, 64×84; masks as ids, or one-hot (N, 64, 84, 11).

    The last 500 scenes are for testing, the 500 before them for validation.
    """
    root = find("m2nist")
    if root is None:
        raise _missing("m2nist", "m2nist/combined.npy and m2nist/segmented.npy")
    pictures, masks = folder.load_array(root / "combined.npy"), folder.load_array(root / "segmented.npy")
    if pictures.ndim != 3 or masks.shape[:3] != pictures.shape or len(pictures) <= 1000:
        raise ValueError(
            f"{root}: pictures {pictures.shape} and masks {masks.shape}; M2NIST has (N, 64, 84) and "
            "(N, 64, 84) or (N, 64, 84, 11), N over 1,000."
        )
    chosen = {"train": slice(None, -1000), "val": slice(-1000, -500), "test": slice(-500, None)}[split]
    pictures, masks = pictures[chosen][:limit], masks[chosen][:limit]
    # One-hot scenes where digits overlap hold two ones; the first, as in the published reader, counts.
    ids = (masks.argmax(axis=-1) if masks.ndim == 4 else masks).astype(np.uint8)
    images = (pictures.astype(np.float32) / 255)[..., None]
    return _squeeze(images, ids, (*(str(d) for d in range(10)), "background"), 10, size)


def _squeeze(images, masks, class_names, background, size, instances=None):
    """A `Segmentation` of arrays brought to another size, or as they are."""
    from PIL import Image

    if size is not None and size != masks.shape[1:]:
        wide = (size[1], size[0])
        images = np.stack([
            np.stack([np.asarray(Image.fromarray(c).resize(wide, Image.Resampling.BILINEAR)) for c in
                      np.moveaxis(image, -1, 0)], axis=-1)
            for image in images
        ])  # fmt: skip
        masks = np.stack([
            np.asarray(Image.fromarray(mask).resize(wide, Image.Resampling.NEAREST)) for mask in masks
        ])  # fmt: skip
    return Segmentation(images, masks, class_names, background, instances)


def load_membrane(split, size, limit):
    """The electron-microscopy stack of ISBI 2012: 512×512, classes membrane and cell.

    Of its 30 labelled slices the first 20 are for training, 5 for validation, 5 for testing.
    """
    root = find("membrane", "train")
    if root is None:
        raise _missing("membrane", "membrane/train/image and membrane/train/label, 30 pictures each,")
    pairs = folder.pairs(root / "image", root / "label")
    pairs.sort(key=lambda pair: (len(pair[0].stem), pair[0].stem))  # 2 before 10
    pairs = pairs[{"train": slice(20), "val": slice(20, 25), "test": slice(25, 30)}[split]][:limit]
    images = np.stack([folder.read_picture(picture, size)[..., :1] for picture, _ in pairs])
    masks = np.stack([folder.read_mask(mask, range(256), size=size, void=None) for _, mask in pairs])
    masks = (masks > 127).astype(np.uint8)
    return Segmentation(images.astype(np.float32) / 255, masks, ("membrane", "cell"))


# --- TensorFlow Datasets --------------------------------------------------------------------------


def tfds_load(name, split):
    """Examples of a TensorFlow Datasets set as NumPy, an iterator of dicts.

    Raises:
        ModuleNotFoundError: TensorFlow Datasets or TensorFlow is not installed.
    """
    try:
        import tensorflow  # noqa: F401, tensorflow_datasets needs it to read
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} comes through TensorFlow Datasets, and {error.name} is not installed; run "
            "`pip install tensorflow tensorflow-datasets importlib_resources`, or use 'digits'."
        ) from None
    tfds.display_progress_bar(True)
    where = find("tfds")
    return tfds.as_numpy(tfds.load(name, split=split, data_dir=where and str(where)))


def load_pets(split, size, limit):
    """Oxford-IIIT Pet, squeezed to 128×128 unless another size is asked for: pet, background.

    The border of the trimap, "not classified" by its makers, is void. The last tenth of the
    official training part is for validation.
    """
    parts = {"train": "train[:90%]", "val": "train[90%:]", "test": "test"}
    height, width = size or (128, 128)
    from PIL import Image

    ids = np.array([255, 0, 1, 255], np.uint8)  # trimap: 1 pet, 2 background, 3 border
    images, masks = [], []
    for example in tfds_load("oxford_iiit_pet", parts[split]):
        picture = Image.fromarray(example["image"]).resize((width, height), Image.Resampling.BILINEAR)
        trimap = Image.fromarray(example["segmentation_mask"][..., 0])
        images.append(np.asarray(picture))
        masks.append(ids[np.asarray(trimap.resize((width, height), Image.Resampling.NEAREST))])
        if len(images) == limit:
            break
    return Segmentation(np.stack(images).astype(np.float32) / 255, np.stack(masks), ("pet", "background"), 1)
