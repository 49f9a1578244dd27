"""Data sets in one form: pictures, masks of class ids, class names.

`load` gives a `Segmentation`; its `batches` feed `fit` on every back-end. `photographs` gives RGB
pictures without masks, for the lectures on codes.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from scipy import ndimage

VOID = 255


@dataclass(frozen=True, repr=False)
class Segmentation:
    """Pictures with a class id for every pixel.

    Attributes:
        images: float32 (N, H, W, C) in [0, 1].
        masks: uint8 (N, H, W), class ids; `void` is never counted.
        class_names: tuple of K str, index = id.
        background: id of the background class, or None.
        instances: uint8 (N, H, W), 0 for none and 1, 2, … for the objects of a picture, or None.
        void: id of pixels without a class.
    """

    images: np.ndarray
    masks: np.ndarray
    class_names: tuple
    background: int | None = None
    instances: np.ndarray | None = None
    void: int = VOID

    def __post_init__(self):
        if self.images.ndim != 4 or self.images.dtype != np.float32:
            raise ValueError(
                f"images are {self.images.dtype} {self.images.shape}, not float32 (N, H, W, C)."
            )
        if self.masks.shape != self.images.shape[:3] or self.masks.dtype != np.uint8:
            raise ValueError(
                f"masks are {self.masks.dtype} {self.masks.shape}; these pictures need uint8 "
                f"{self.images.shape[:3]}."
            )
        found = np.unique(self.masks)
        wrong = found[(found >= self.num_classes) & (found != self.void)]
        if wrong.size:
            raise ValueError(
                f"masks hold the id {wrong[0]}, but there are {self.num_classes} class names; "
                f"ids go from 0 to {self.num_classes - 1}, or {self.void} for void."
            )

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        size = "×".join(str(n) for n in self.images.shape[1:])
        return f"Segmentation({len(self)} pictures of {size}, {self.num_classes} classes)"

    @property
    def num_classes(self):
        return len(self.class_names)

    def image_labels(self):
        """Which classes each picture shows: bool (N, K)."""
        flat = self.masks.reshape(len(self), -1)
        return np.stack([(flat == k).any(axis=1) for k in range(self.num_classes)], axis=1)

    def subset(self, classes):
        """Only the pictures that show one of `classes`, and only these classes in their masks.

        Ids are numbered anew in the old order; all other pixels become background, or void where
        the set has no background.

        Args:
            classes: names or ids, the background not among them (it is always kept).

        Raises:
            ValueError: a class that this set does not have.
        """
        wanted = {self._class_id(c) for c in classes} - {self.background}
        keep = self.image_labels()[:, sorted(wanted)].any(axis=1)
        kept = sorted(wanted | ({self.background} - {None}))
        new_background = None if self.background is None else kept.index(self.background)
        renumber = np.full(256, self.void if new_background is None else new_background, np.uint8)
        renumber[kept] = np.arange(len(kept))
        renumber[self.void] = self.void
        return replace(
            self,
            images=self.images[keep],
            masks=renumber[self.masks[keep]],
            instances=None if self.instances is None else self.instances[keep],
            class_names=tuple(self.class_names[k] for k in kept),
            background=new_background,
        )

    def _class_id(self, name_or_id):
        if name_or_id in self.class_names:
            return self.class_names.index(name_or_id)
        if isinstance(name_or_id, (int, np.integer)) and 0 <= name_or_id < self.num_classes:
            return int(name_or_id)
        raise ValueError(f"no class {name_or_id!r} here; there are {', '.join(self.class_names)}.")

    def batches(self, batch_size, *, augment=None, shuffle=False, seed=0):
        """Batches for `fit` on every back-end.

        Args:
            batch_size: int, pictures in a batch; the last batch may be smaller.
            augment: a callable `f(image=, mask=) -> {"image", "mask"}` for one picture (H, W, C)
                and its mask (H, W), the convention of Albumentations.
            shuffle: a new order in every epoch.
            seed: int, determines all orders.

        Returns:
            A `keras.utils.PyDataset` of (float32 (B, H, W, C), uint8 (B, H, W)).
        """
        return Batches(
            (self.images, self.masks), batch_size, augment=augment, shuffle=shuffle, seed=seed
        )


class Batches(keras.utils.PyDataset):
    """Batches of (x, y), a pair of arrays of equal length; see `Segmentation.batches`."""

    def __init__(self, pair, batch_size, *, augment=None, shuffle=False, seed=0):
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}; a batch holds at least one picture.")
        self._x, self._y = pair
        self._batch_size, self._augment, self._shuffle = batch_size, augment, shuffle
        self._rng = np.random.default_rng(seed)
        self._order = np.arange(len(self._x))
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self._x) // self._batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        x, y = self._x[chosen], self._y[chosen]
        if self._augment is None:
            return x, y
        pairs = [self._augment(image=i, mask=m) for i, m in zip(x, y, strict=True)]
        return np.stack([p["image"] for p in pairs]), np.stack([p["mask"] for p in pairs])

    def on_epoch_end(self):
        if self._shuffle:
            self._rng.shuffle(self._order)


def names():
    """The names that `load` knows, as a tuple."""
    return tuple(_LOADERS)


def load(name, split="train", *, size=None, limit=None):
    """Load a data set by name.

    Args:
        name: str, one of `names()`.
        split: "train", "val" or "test".
        size: int or (H, W) in pixels, None for the set's own size.
        limit: int, at most so many pictures, None for all.

    Returns:
        A `Segmentation`.

    Raises:
        ValueError: an unknown name or split, or a size or limit that does not fit.
    """
    if name not in _LOADERS:
        raise ValueError(f"no data set {name!r}; there is {', '.join(_LOADERS)}.")
    if split not in ("train", "val", "test"):
        raise ValueError(f"no split {split!r}; use 'train', 'val' or 'test'.")
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit}; ask for at least one picture, or None for all.")
    if isinstance(size, int):
        size = (size, size)
    return _LOADERS[name](split, size, limit)


# --- digits: scenes of real handwritten digits ----------------------------------------------------

# First and last handwritten digit (of scikit-learn's 1,797) and number of scenes of each split.
_DIGITS = {"train": (0, 1197, 1500), "val": (1197, 1497, 300), "test": (1497, 1797, 300)}


def _load_digits(split, size, limit):
    """Scenes of one to three digits on a grey, noisy canvas; ids 0 … 9, background 10.

    Splits share no handwritten digit. Scene i of a split is the same whatever the limit.
    """
    from sklearn.datasets import load_digits

    height, width = size or (48, 48)
    if min(height, width) < 24:
        raise ValueError(f"size={height}×{width}; a digits scene needs at least 24×24 pixels.")
    first, last, count = _DIGITS[split]
    bunch = load_digits()
    ink, labels = bunch.images[first:last] / 16, bunch.target[first:last]
    scenes = [
        _digits_scene(np.random.default_rng([first, i]), ink, labels, height, width)
        for i in range(min(count, limit or count))
    ]
    images, masks, instances = (np.stack(arrays) for arrays in zip(*scenes, strict=True))
    class_names = (*(str(d) for d in range(10)), "background")
    return Segmentation(images[..., None], masks, class_names, background=10, instances=instances)


def _digits_scene(rng, ink, labels, height, width):
    """One scene: picture float32, mask uint8, instances uint8, all (height, width)."""
    image = np.full((height, width), rng.uniform(0.25, 0.45))
    mask = np.full((height, width), 10, np.uint8)
    instances = np.zeros((height, width), np.uint8)
    for number in range(1, rng.integers(1, 4) + 1):
        which = rng.integers(len(ink))
        contrast = rng.uniform(0.35, 0.55)
        for _attempt in range(20):
            digit = _place_digit(rng, ink[which], height, width)
            body = digit > 0.4
            if (body & (instances > 0)).sum() <= 0.05 * body.sum():  # they may touch, not cover
                image = np.maximum(image, image * (1 - digit) + digit * (image + contrast))
                mask[body], instances[body] = labels[which], number
                break
    image += rng.normal(0, 0.05, image.shape)
    return np.clip(image, 0, 1).astype(np.float32), mask, instances


def _place_digit(rng, digit, height, width):
    """An 8×8 digit enlarged, turned a little and put somewhere on an empty canvas, in [0, 1]."""
    scale = rng.uniform(1.8, 2.8)                        # 14 to 22 pixels a side
    angle = np.deg2rad(rng.uniform(-15, 15))
    half = 4 * scale
    centre = rng.uniform([half, half], [height - half, width - half])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    canvas = ndimage.affine_transform(
        np.pad(digit, 1), turn, offset=4.5 - turn @ centre, output_shape=(height, width), order=1
    )
    return np.clip(canvas, 0, 1)


_LOADERS = {"digits": _load_digits}


# --- pictures without masks -----------------------------------------------------------------------


def data_dir():
    """The folder of real data that `COURSE_DATA_DIR` names, or None where it is unset.

    Raises:
        FileNotFoundError: the folder is not there.
    """
    if not os.environ.get("COURSE_DATA_DIR"):
        return None
    folder = Path(os.environ["COURSE_DATA_DIR"]).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"COURSE_DATA_DIR={folder}: no such folder; correct the path, or unset it to work "
            "with the data that comes with the course."
        )
    return folder


def photographs(split="train", *, size=64, limit=None):
    """Square RGB pictures to describe with few numbers.

    The photographs of PASCAL VOC 2012, cropped to their centre, where `COURSE_DATA_DIR` holds
    them. Else windows cut from the two photographs that scikit-learn ships: train, val and test
    come from separate vertical strips of each, so that no pixel is in two splits.

    Args:
        split: "train", "val" or "test"; of VOC, "val" and "test" are the two halves of its val list.
        size: int, side in pixels.
        limit: int, at most so many pictures, None for all.

    Returns:
        float32 (N, size, size, 3) in [0, 1], in an order that does not depend on the limit, and
        a str that says where they come from.

    Raises:
        ValueError: an unknown split.
        FileNotFoundError: `COURSE_DATA_DIR` names a folder that is not there.
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f"no split {split!r}; use 'train', 'val' or 'test'.")
    voc = (data_dir() or Path("nowhere")) / "VOCdevkit" / "VOC2012"
    if voc.is_dir():
        return _voc_photographs(voc, split, size, limit), "PASCAL VOC 2012"
    return _sample_windows(split, size, limit), "windows of scikit-learn's two photographs"


def _voc_photographs(voc, split, size, limit):
    from PIL import Image, ImageOps

    listed = voc / "ImageSets" / "Segmentation" / ("train.txt" if split == "train" else "val.txt")
    ids = listed.read_text().split()
    if split != "train":
        ids = ids[0::2] if split == "val" else ids[1::2]
    pictures = [
        ImageOps.fit(Image.open(voc / "JPEGImages" / f"{i}.jpg").convert("RGB"), (size, size))
        for i in ids[:limit]
    ]
    return np.stack([np.asarray(p) for p in pictures]).astype(np.float32) / 255


def _sample_windows(split, size, limit):
    from sklearn.datasets import load_sample_images

    left, right = {"train": (0.0, 0.6), "val": (0.6, 0.8), "test": (0.8, 1.0)}[split]
    windows = []
    for photograph in load_sample_images().images:           # china.jpg and flower.jpg, 427×640
        width = photograph.shape[1]
        strip = photograph[:, int(left * width) : int(right * width)]
        if min(strip.shape[:2]) < size:
            raise ValueError(f"size={size}; the {split} strip is {strip.shape[1]} pixels wide.")
        cut = np.lib.stride_tricks.sliding_window_view(strip, (size, size), axis=(0, 1))
        windows.append(cut[::8, ::8].reshape(-1, 3, size, size))
    windows = np.concatenate(windows).transpose(0, 2, 3, 1)
    chosen = np.random.default_rng(0).permutation(len(windows))[:limit]
    return windows[chosen].astype(np.float32) / 255
