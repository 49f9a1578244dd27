"""The fully connected conditional random field (Krähenbühl & Koltun 2011), as DeepLab v1 used it."""

import numpy as np
from keras import ops

LARGEST = 64**2  # pixels whose affinities, one number for each pair, are kept in memory at once


def dense_crf(
    probabilities, image, *, iterations=10, smoothness_weight=3.0, smoothness_sigma=3.0,
    appearance_weight=10.0, appearance_sigma=20.0, colour_sigma=0.05,
):  # fmt: skip
    """Sharpen a segmentation with its picture: mean field on the graph of all pairs of pixels.

    Two pixels that lie close (smoothness), or close and alike in colour (appearance), pay where their
    labels differ (Potts). Sums over pixels are exact, up to 64×64 pixels with all affinities in memory
    (64 MiB), beyond that in chunks of rows computed anew in each iteration.

    Args:
        probabilities: float (H, W, K), of the network; they sum to 1 over K.
        image: float (H, W, C) in [0, 1], the picture.
        iterations: int, 0 gives `probabilities` back.
        smoothness_weight, appearance_weight: float, the price of different labels under each kernel.
        smoothness_sigma, appearance_sigma: float, how close is close, in pixels.
        colour_sigma: float, how alike is alike, in units of `image`.

    Returns:
        float32 (H, W, K) array, probabilities.

    Raises:
        ValueError: sizes differ, or probabilities are none.
    """
    probabilities, image = _checked(probabilities, image)
    height, width, k = probabilities.shape
    place = np.stack(np.mgrid[:height, :width], axis=-1).reshape(-1, 2)
    near = place / smoothness_sigma
    alike = np.hstack([place / appearance_sigma, image.reshape(height * width, -1) / colour_sigma])
    kernels = [_kernel(near, smoothness_weight), _kernel(alike, appearance_weight)]
    unary = ops.convert_to_tensor(np.log(np.maximum(probabilities, 1e-20)).reshape(-1, k))
    q = ops.softmax(unary)
    for _ in range(iterations):  # a label gains what its neighbours, weighted by affinity, give it
        q = ops.softmax(unary + sum(kernel(q) for kernel in kernels))
    return ops.convert_to_numpy(q).reshape(height, width, k)


def _kernel(features, weight):
    """A function from q (N, K) to weight · D^-½ A D^-½ q; A (N, N) the Gaussian affinities, D their sums.

    This normalization keeps pixels at the border and in crowded places from counting less or more.
    """
    features = ops.convert_to_tensor(features, "float32")
    squares = ops.sum(features**2, axis=1)
    n = features.shape[0]
    step = n if n <= LARGEST else max(1, LARGEST**2 // n)
    chunks = [slice(i, min(i + step, n)) for i in range(0, n, step)]

    def affinity(rows):
        """Affinities of these pixels to all: (rows, N)."""
        products = ops.matmul(features[rows], ops.transpose(features))
        return ops.exp(ops.minimum(products - squares[rows, None] / 2 - squares / 2, 0.0))

    kept = [affinity(rows) for rows in chunks] if step == n else None

    def message(q):
        blocks = kept or (affinity(rows) for rows in chunks)
        return ops.concatenate([ops.matmul(block, q) for block in blocks])

    scale = ops.rsqrt(message(ops.ones((n, 1))))
    return lambda q: weight * scale * message(scale * q)


def _checked(probabilities, image):
    probabilities, image = np.asarray(probabilities, "float32"), np.asarray(image, "float32")
    if probabilities.ndim != 3 or image.ndim != 3 or probabilities.shape[:2] != image.shape[:2]:
        raise ValueError(
            f"dense_crf takes probabilities (H, W, K) and one picture (H, W, C) of that size; these have "
            f"shapes {probabilities.shape} and {image.shape}."
        )
    total = probabilities.sum(-1)
    if not (np.all(probabilities >= 0) and np.allclose(total, 1, atol=1e-3)):  # NaN is caught too
        raise ValueError(
            f"probabilities sum to {total.min():.3g} … {total.max():.3g} over classes, not to 1; take the "
            "softmax of logits first."
        )
    return probabilities, image
