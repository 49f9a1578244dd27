"""Scenes made on the fly: handwritten digits on a noisy canvas, and touching cells."""

import numpy as np
from scipy import ndimage, spatial

from course_utils.data import sources
from course_utils.data.segmentation import Segmentation

# First and last handwritten digit (of scikit-learn's 1,797, shuffled) and number of scenes of each split.
# In the file's own order the last 300 are of another kind: nearest neighbours in the first 1,197 read
# 95 % of them, but 99 % of the 300 before.
_DIGITS = {"train": (0, 1197, 1500), "val": (1197, 1497, 300), "test": (1497, 1797, 300)}


# The same of MNIST: its training part serves train and val, its test part test.
_MNIST = {
    "train": ("train", 0, 50_000, 1500),
    "val": ("train", 50_000, 60_000, 300),
    "test": ("test", 0, 10_000, 300),
}
_CELLS = {"train": (0, 120), "val": (1, 40), "test": (2, 40)}  # seed and number of pictures


def load_digits(split, size, limit):
    """Scenes of one to three of scikit-learn's digits on a grey, noisy canvas; background 10.

    Splits share no handwritten digit. Scene i of a split is the same whatever the limit.
    """
    from sklearn import datasets

    first, last, count = _DIGITS[split]
    bunch = datasets.load_digits()
    chosen = np.random.default_rng(0).permutation(len(bunch.target))[first:last]
    return _digits_scenes(bunch.images[chosen] / 16, bunch.target[chosen], first, count, size, limit)


def load_mnist(split, size, limit):
    """The scenes of `load_digits`, composed from MNIST."""
    part, first, last, count = _MNIST[split]
    examples = list(sources.tfds_load("mnist", f"{part}[{first}:{last}]"))
    ink = np.stack([e["image"][..., 0] for e in examples]) / 255
    labels = np.array([e["label"] for e in examples])
    return _digits_scenes(ink, labels, last, count, size, limit)


def _digits_scenes(ink, labels, seed, count, size, limit):
    height, width = size or (48, 48)
    if min(height, width) < 24:
        raise ValueError(f"size={height}×{width}; a digits scene needs at least 24×24 pixels.")
    scenes = [
        _digits_scene(np.random.default_rng([seed, i]), ink, labels, height, width)
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
    for _ in range(rng.integers(1, 4)):
        which = rng.integers(len(ink))
        contrast = rng.uniform(0.35, 0.55)
        for _attempt in range(20):
            digit = _place_digit(rng, ink[which], height, width)
            body = digit > 0.4
            if (body & (instances > 0)).sum() <= 0.05 * body.sum():  # they may touch, not cover
                image = np.maximum(image, image * (1 - digit) + digit * (image + contrast))
                mask[body], instances[body] = labels[which], instances.max() + 1
                break
    image += rng.normal(0, 0.05, image.shape)
    return np.clip(image, 0, 1).astype(np.float32), mask, instances


def _place_digit(rng, digit, height, width):
    """A digit brought to 14 to 22 pixels a side, turned a little, somewhere on an empty canvas."""
    side = len(digit)
    scale = rng.uniform(1.8, 2.8) * 8 / side
    angle = np.deg2rad(rng.uniform(-15, 15))
    half = side / 2 * scale
    centre = rng.uniform([half, half], [height - half, width - half])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    canvas = ndimage.affine_transform(
        np.pad(digit, 1), turn, offset=(side + 1) / 2 - turn @ centre, output_shape=(height, width), order=1
    )
    return np.clip(canvas, 0, 1)


# --- cells ----------------------------------------------------------------------------------------


def load_cells(split, size, limit):
    """Touching cells with thin membranes, seen grey and noisy as in a microscope; 96×96.

    Classes background (membranes and what lies outside) and cell; each cell is an instance.
    """
    height, width = size or (96, 96)
    if min(height, width) < 32:
        raise ValueError(f"size={height}×{width}; a picture of cells needs at least 32×32 pixels.")
    seed, count = _CELLS[split]
    pictures = [
        _cells(np.random.default_rng([seed, i]), height, width) for i in range(min(count, limit or count))
    ]
    images, instances = (np.stack(arrays) for arrays in zip(*pictures, strict=True))
    masks = (instances > 0).astype(np.uint8)
    return Segmentation(images[..., None], masks, ("background", "cell"), 0, instances)


def _smooth_noise(rng, shape, sigma):
    """Noise with details of about sigma pixels, mean 0, standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), sigma, mode="reflect")
    return (noise - noise.mean()) / noise.std()


def _cells(rng, height, width):
    """One picture float32 and its cells uint8, both (height, width)."""
    shape = (height, width)
    centres = _spread_points(rng, height, width, spacing=rng.uniform(13, 18))
    places = np.stack(np.mgrid[:height, :width], axis=-1).astype(float)
    for axis in range(2):  # bent membranes: look each pixel up a little beside its place
        places[..., axis] += 1.5 * _smooth_noise(rng, shape, 5)
    nearest, second = np.moveaxis(spatial.cKDTree(centres).query(places, k=2)[0], -1, 0)
    membrane = second - nearest < rng.uniform(1.6, 2.4)
    outside = _smooth_noise(rng, shape, 14) < -1.2  # here no cell has grown
    instances = _without_splinters(ndimage.label(~membrane & ~outside)[0])
    return _microscope(rng, instances, outside), instances


def _spread_points(rng, height, width, spacing):
    """Random points about `spacing` pixels apart: a jittered hexagonal grid."""
    rows, columns = np.mgrid[-1 : height / spacing + 1, -1 : width / spacing + 1]
    points = np.stack([rows, columns + 0.5 * (rows % 2)], axis=-1).reshape(-1, 2) * spacing
    return points + rng.normal(0, 0.2 * spacing, points.shape)


def _without_splinters(ids, pixels=12):
    """Numbers 1, 2, … for the pieces of at least so many pixels; the others become 0."""
    kept = np.flatnonzero(np.bincount(ids.ravel()) >= pixels)[1:]
    numbers = np.zeros(ids.max() + 1, np.uint8)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return numbers[ids]


def _microscope(rng, instances, outside):
    """Bright cells with a texture, dark membranes, a grey ground; blur, uneven light and noise."""
    tone = rng.uniform(0.55, 0.8, instances.max() + 1)
    tone[0] = 0.2  # membranes
    image = tone[instances] + 0.05 * _smooth_noise(rng, instances.shape, 1.5)
    image = np.where(outside & (instances == 0), 0.45 + 0.03 * _smooth_noise(rng, instances.shape, 3), image)
    image = ndimage.gaussian_filter(image, rng.uniform(0.4, 0.7))
    image *= 1 + 0.1 * _smooth_noise(rng, instances.shape, 30)
    return np.clip(image + rng.normal(0, 0.05, image.shape), 0, 1).astype(np.float32)
