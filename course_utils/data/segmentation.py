"""One form for every data set: pictures, masks of class ids, class names; and their batches."""

from dataclasses import dataclass, replace

import keras
import numpy as np
from PIL import Image

from course_utils.data.augmentation import VOID, augment


@dataclass(frozen=True, repr=False, eq=False)
class Segmentation:
    """Pictures with a class id for every pixel.

    Attributes:
        images: float32 (N, H, W, C) in [0, 1]; an array, or a `LazyArray` of files.
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
        if self.instances is not None and self.instances.shape != self.masks.shape:
            raise ValueError(f"instances are {self.instances.shape}, but masks {self.masks.shape}.")
        if self.background is not None and not 0 <= self.background < self.num_classes:
            raise ValueError(f"background={self.background}, but ids go from 0 to {self.num_classes - 1}.")
        if len(self) and isinstance(self.images, np.ndarray):  # files are checked as they are read
            low, high = self.images.min(), self.images.max()
            if not (low >= 0 and high <= 1):  # written so that NaN is caught too
                raise ValueError(f"images hold values from {low:g} to {high:g}; bring them to 0 … 1.")
        if len(self) and isinstance(self.masks, np.ndarray):
            self._check_ids()

    def _check_ids(self):
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
        counts = [np.bincount(np.ravel(mask), minlength=256) for mask in self.masks]
        return np.stack(counts)[:, : self.num_classes] > 0

    def take(self, indices):
        """The pictures with these indices, int (M,), in this order."""
        indices = np.asarray(indices)
        return replace(
            self,
            images=self.images.take(indices, axis=0),
            masks=self.masks.take(indices, axis=0),
            instances=None if self.instances is None else self.instances.take(indices, axis=0),
        )

    def subset(self, classes):
        """Only the pictures that show one of `classes`, and only these classes in their masks.

        Ids are numbered anew in the old order; all other pixels become background, or void where
        the set has no background.

        Args:
            classes: names or ids, the background not among them (it is always kept).

        Raises:
            ValueError: a class that this set does not have, or none at all.
        """
        if isinstance(classes, str):
            raise ValueError(f"subset({classes!r}); give a list of classes, [{classes!r}].")
        wanted = {self._class_id(c) for c in classes} - {self.background}
        if not wanted:
            raise ValueError("subset needs at least one class that is not the background.")
        keep = self.image_labels()[:, sorted(wanted)].any(axis=1)
        kept = sorted(wanted | ({self.background} - {None}))
        new_background = None if self.background is None else kept.index(self.background)
        renumber = np.full(256, self.void if new_background is None else new_background, np.uint8)
        renumber[kept] = np.arange(len(kept))
        renumber[self.void] = self.void
        kept_pictures = self.take(np.flatnonzero(keep))
        return replace(
            kept_pictures,
            masks=renumber[np.asarray(kept_pictures.masks)],
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
        """Batches for `fit` on every back-end; pictures that are files are read as they are needed.

        Args:
            batch_size: int, pictures in a batch; the last batch may be smaller.
            augment: `course_utils.data.augment(…)`, seeded by `seed`, epoch and picture; or any
                callable `f(image=, mask=) -> {"image", "mask"}` for one picture (H, W, C) and its
                mask (H, W), the convention of Albumentations.
            shuffle: a new order in every epoch.
            seed: int, determines all orders and the course's own augmentation.

        Returns:
            A `keras.utils.PyDataset` of (float32 (B, H, W, C), uint8 (B, H, W)).
        """
        return Batches(
            (self.images, self.masks), batch_size, augment=augment, shuffle=shuffle, seed=seed
        )


def cut_out(scenes, classes, size=48, margin=1.2):
    """Square windows around all that a scene shows of each class, as pictures to classify.

    Args:
        scenes: `Segmentation` of N scenes with three channels.
        classes: names.
        size: int, side of the windows, in pixels.
        margin: float, side of the square in shares of the object's longer side; never more than the scene.

    Returns:
        float32 (M, size, size, 3) in [0, 1] and int32 (M,), places in `classes`; a scene gives a window for
        each of the classes that it shows.

    Raises:
        ValueError: no scene shows any of the classes, or there is no such class.
    """
    windows, labels = [], []
    for image, mask in zip(scenes.images, scenes.masks, strict=True):
        for label, name in enumerate(classes):
            places = np.nonzero(mask == scenes._class_id(name))      # rows, columns
            if len(places[0]) == 0:
                continue
            side = min(*mask.shape, margin * (max(np.ptp(place) for place in places) + 1))
            top, left = (
                np.clip((p.min() + p.max() + 1 - side) / 2, 0, n - side)
                for p, n in zip(places, mask.shape, strict=True)
            )
            picture = Image.fromarray(np.uint8(np.round(255 * image)))
            box = (left, top, left + side, top + side)
            window = picture.resize((size, size), Image.Resampling.BILINEAR, box)
            windows.append(np.float32(window) / 255)
            labels.append(label)
    if not windows:
        raise ValueError(f"no scene shows {' or '.join(classes)}.")
    return np.stack(windows), np.array(labels, "int32")


class Batches(keras.utils.PyDataset):
    """Batches of arrays of equal length: (x, y), or (x, y, sample weights).

    For a network with several inputs or outputs x or y is a tuple or dict of arrays. The other
    arguments are those of `Segmentation.batches`; `augment` changes x and y, one array each.
    """

    def __init__(self, arrays, batch_size, *, augment=None, shuffle=False, seed=0):
        # Reading files is worth a few threads; slicing an array is not.
        first = keras.tree.flatten(arrays)[0]
        super().__init__(workers=1 if isinstance(first, np.ndarray) else 4)
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}; a batch holds at least one picture.")
        self.arrays, self._count = arrays, len(first)
        self.batch_size, self.augment, self.shuffle, self.seed = batch_size, augment, shuffle, seed
        self.start_epoch(0)

    def __len__(self):
        return -(-self._count // self.batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        x, y, *rest = keras.tree.map_structure(lambda array: array[chosen], self.arrays)
        if self.augment is not None:
            pairs = [self._augmented(*pair) for pair in zip(chosen, x, y, strict=True)]
            x, y = (np.stack([pair[key] for pair in pairs]) for key in ("image", "mask"))
        return x, y, *rest

    def _augmented(self, number, image, mask):
        if isinstance(self.augment, augment):
            # One generator a picture and epoch: the result does not depend on threads or order.
            rng = np.random.default_rng([self.seed, self._epoch, number])
            return self.augment(image, mask, rng)
        return self.augment(image=image, mask=mask)

    def on_epoch_end(self):
        self.start_epoch(self._epoch + 1)

    def start_epoch(self, epoch):
        """Take the order and the augmentation of this epoch, counted from 0."""
        self._epoch = epoch
        self._order = np.arange(self._count)
        if self.shuffle:
            np.random.default_rng([self.seed, epoch]).shuffle(self._order)


class LazyArray:
    """An array (N, …) whose rows are read from files when they are asked for.

    Args:
        read: callable from one of `sources` to an array of `shape` and `dtype`.
        sources: N of anything, such as paths.
        shape: shape of one row.
        dtype: of the rows.
    """

    def __init__(self, read, sources, shape, dtype):
        self._read, self.sources = read, list(sources)
        self.shape, self.dtype = (len(self.sources), *shape), np.dtype(dtype)

    @property
    def ndim(self):
        return len(self.shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        chosen = np.arange(len(self))[key]
        if np.ndim(chosen) == 0:
            return self._read(self.sources[chosen])
        rows = [self._read(self.sources[i]) for i in chosen]
        return np.stack(rows) if rows else np.empty((0, *self.shape[1:]), self.dtype)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype=dtype)

    def take(self, indices, axis=0):
        """The rows with these indices, still unread."""
        return LazyArray(self._read, [self.sources[i] for i in indices], self.shape[1:], self.dtype)
