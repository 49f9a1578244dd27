"""The inputs behind maskformer.npz and mask_set.npz, the same in their script and in the tests."""

import numpy as np
from fill import fill, random

PICTURES = (2, 64, 96, 3)
CLASSES, QUERIES, LAYERS = 4, 6, 2
SMALL = {
    "queries": 7, "decoder_layers": 3, "dim": 64, "num_heads": 4, "feed_forward": 48, "depth": 18,
    "filters": 4,
}  # fmt: skip


def network(maskformer):
    """A tiny MaskFormer with known weights, and pictures for it."""
    return fill(maskformer((64, 96, 3), 5, **SMALL), seed=1), random(PICTURES, seed=2)


def thinned(outputs):
    """Every fourth pixel of the logits and every second of the masks, which is enough to store."""
    steps = {"logits": np.s_[:, ::4, ::4], "mask_logits": np.s_[..., ::2, ::2]}
    steps["auxiliary_mask_logits"] = steps["mask_logits"]
    return {name: np.asarray(value)[steps.get(name, ...)] for name, value in outputs.items()}


def predictions():
    """Class and mask logits of all layers, (3, L, N, K + 1) and (3, L, N, 8, 12)."""
    sizes = (CLASSES + 1,), (8, 12)
    return tuple(2 * random((3, LAYERS, QUERIES, *size), seed=len(size)) for size in sizes)


def ids(instances=False):
    """Class ids int32 (3, 16, 24), not all classes in each picture; or those and instance ids."""
    noise = random((3, 16, 24, CLASSES), seed=5)
    noise[1, ..., 2] = noise[2, ..., 0] = noise[2, ..., 3] = -9
    classes = noise.argmax(-1)
    if not instances:
        return classes.astype("int32")
    columns = np.broadcast_to(np.arange(24), classes.shape)
    return np.stack([classes // 2, np.where(classes < 2, 1 + columns // 12, 0)], axis=-1).astype("int32")


def segments(picture):
    """Masks float32 (T, H, W) and classes int (T,) of one picture's ids, (H, W) or (H, W, 2)."""
    pairs = picture if picture.ndim == 3 else np.stack([picture, 0 * picture], axis=-1)
    found = sorted({tuple(pair) for pair in pairs.reshape(-1, 2)}, key=lambda pair: pair[::-1])
    masks = np.stack([(pairs == pair).all(-1) for pair in found]).astype("float32")
    return masks, np.array([pair[0] for pair in found], "int64")
