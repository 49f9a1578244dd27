"""Data sets in one form: pictures, masks of class ids, class names.

`load` gives a `Segmentation` by name, `load_folder` from any folder; its `batches` feed `fit` on
every back-end, changed by `augment`. `dogs_and_aeroplanes` and `photographs` choose real pictures
where there are some, else the course's own.
"""

from functools import partial
from pathlib import Path

import numpy as np

from course_utils.data import scenes, sources
from course_utils.data.augmentation import VOID, augment
from course_utils.data.folder import voc_palette
from course_utils.data.photographs import photographs
from course_utils.data.segmentation import Batches, LazyArray, Segmentation, cut_out
from course_utils.data.sources import VOC_CLASSES, data_dir, load_folder

__all__ = [
    "VOC_CLASSES", "VOID", "Batches", "LazyArray", "Segmentation", "augment", "cut_out",
    "data_dir", "dogs_and_aeroplanes", "load", "load_folder", "names", "photographs", "voc_palette",
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


def dogs_and_aeroplanes(split="train", *, size=64):
    """Pictures that show a dog or an aeroplane, not both, for codes and for telling them apart.

    Of PASCAL VOC 2012, where `COURSE_DATA_DIR` holds it, else of toyvoc.

    Args:
        split: "train" or "val".
        size: int, side in pixels, to which pictures are squeezed.

    Returns:
        A `Segmentation` with the classes background, aeroplane and dog, and a str that says where
        it comes from.

    Raises:
        ValueError: an unknown split.
        FileNotFoundError: `COURSE_DATA_DIR` names a folder that is not there.
    """
    source = "voc2012" if sources.find("VOCdevkit", "VOC2012") else "toyvoc"
    found = load(source, split, size=size).subset(["aeroplane", "dog"])
    one_of_both = found.image_labels()[:, 1:].sum(axis=1) == 1
    return found.take(np.flatnonzero(one_of_both)), source
