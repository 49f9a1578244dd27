"""The random inputs behind numerics.npz, the same in the script that made it and in the tests."""

import numpy as np
from fill import random

VOID = 255
COST_SHAPES = [(1, 1), (2, 2), (5, 5), (12, 5), (30, 7), (100, 20)]


def masks_and_logits():
    """Masks int64 (3, 16, 20) of five classes with void pixels, and logits (3, 16, 20, 5)."""
    logits = 2 * random((3, 16, 20, 5), seed=1)
    masks = (logits + 3 * random(logits.shape, seed=2)).argmax(-1)
    masks[random(masks.shape, seed=3) > 1.5] = VOID
    return masks, logits


def blobs():
    """Eight pairs of bool (40, 40): overlapping regions with ragged outlines."""
    rows, columns = np.mgrid[:40, :40]
    for seed in range(8):
        noise = random((12,), seed)
        pair = []
        for y, x, r, wobble in (noise[:4], noise[4:8]):
            angle = np.arctan2(rows - 20 - 3 * y, columns - 20 - 3 * x)
            radius = 8 + 2 * r + 3 * np.sin(3 * angle + 5 * wobble)
            pair.append((rows - 20 - 3 * y) ** 2 + (columns - 20 - 3 * x) ** 2 < radius**2)
        yield tuple(pair)


def costs(shape):
    """Costs float32 of this shape, of both signs."""
    return random(shape, seed=sum(shape))


def crf_case():
    """Probabilities float32 (24, 32, 3), unsure, and a picture (24, 32, 3) with three flat regions."""
    rows, columns = np.mgrid[:24, :32]
    regions = (columns > 12).astype(int) + ((rows - 14) ** 2 + (columns - 22) ** 2 < 40)
    colours = np.array([[0.2, 0.3, 0.4], [0.6, 0.5, 0.3], [0.9, 0.8, 0.2]])
    image = np.clip(colours[regions] + 0.02 * random((24, 32, 3), seed=4), 0, 1)
    logits = 1.5 * np.eye(3)[regions] + random((24, 32, 3), seed=5)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return probabilities.astype("float32"), image.astype("float32")
