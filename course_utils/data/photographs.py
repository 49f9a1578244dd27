"""RGB pictures without masks, for the lectures on codes."""

import numpy as np

from course_utils.data import sources


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
        ValueError: an unknown split, or a limit below 1.
        FileNotFoundError: `COURSE_DATA_DIR` names a folder that is not there.
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f"no split {split!r}; use 'train', 'val' or 'test'.")
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit}; ask for at least one picture, or None for all.")
    voc = sources.find("VOCdevkit", "VOC2012")
    if voc:
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
