"""Data sets in one form: pictures, masks of class ids, class names.

`load` gives a `Segmentation` by name, `load_folder` from any folder; its `batches` feed `fit` on
every back-end, changed by `augment`. `photographs` gives RGB pictures without masks.
"""

from functools import partial
from pathlib import Path

import numpy as np

from course_utils.data import scenes, sources
from course_utils.data.augmentation import VOID, augment
from course_utils.data.folder import voc_palette
from course_utils.data.photographs import photographs
from course_utils.data.segmentation import Batches, LazyArray, Segmentation
from course_utils.data.sources import VOC_CLASSES, data_dir, load_folder

__all__ = [
    "VOC_CLASSES", "VOID", "Batches", "LazyArray", "Segmentation", "augment", "data_dir", "load",
    "load_folder", "names", "photographs", "voc_palette",
]  # fmt: skip

_TOYVOC = Path(__file__).parents[2] / "data" / "toyvoc"

_LOADERS = {
    "digits": scenes.load_digits,
    "toyvoc": partial(sources.load_voc, _TOYVOC),
    "cells": scenes.load_cells,
    "mnist": scenes.load_mnist,
    "m2nist": sources.load_m2nist,
    "membrane": sources.load_membrane,
    "oxford_iiit_pet": sources.load_pets,
    "voc2012": partial(sources.load_voc_year, 2012),
    "voc2009": partial(sources.load_voc_year, 2009),
    "voc2007": partial(sources.load_voc_year, 2007),
}


def names():
    """The names that `load` knows, as a tuple."""
    return tuple(_LOADERS)


def load(name, split="train", *, size=None, limit=None):
    """Load a data set by name.

    Args:
        name: str, one of `names()`.
        split: "train", "val" or "test"; sets in VOC's layout have the lists that they come with.
        size: int or (H, W) in pixels, None for the set's own size.
        limit: int, at most so many pictures, None for all.

    Returns:
        A `Segmentation`.

    Raises:
        ValueError: an unknown name or split, or a size or limit that does not fit.
        FileNotFoundError: a set that is not part of the course was not found; the message says how
            to get it.
    """
    if name not in _LOADERS:
        raise ValueError(f"no data set {name!r}; there is {', '.join(_LOADERS)}.")
    if split not in ("train", "val", "test"):
        raise ValueError(f"no split {split!r}; use 'train', 'val' or 'test'.")
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit}; ask for at least one picture, or None for all.")
    if isinstance(size, (int, np.integer)):
        size = (int(size), int(size))
    return _LOADERS[name](split, size, limit)
