"""Max-pooling that remembers where each maximum stood, and the way back."""

from fractions import Fraction

import keras
from keras import KerasTensor, layers, ops


@keras.saving.register_keras_serializable(package="course_utils")
class MaxPoolingWithIndices2D(layers.Layer):
    """Max-pooling over p×p windows without overlap (Badrinarayanan et al. 2017, section 3).

    Takes x (B, pH, pW, C); returns `[values, indices]`, both (B, H, W, C). An index is int32 and counts
    within its window, row by row: 0 … p² - 1. Of equal values the first counts, and it alone gets the
    gradient. The indices are 4 bytes for each maximum; 2 bits would do for a 2×2 window.

    Args:
        pool_size: int, p.

    Raises:
        ValueError: p does not divide the height or the width.
    """

    def __init__(self, pool_size=2, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = pool_size
        self.window = (pool_size, pool_size)             # kernel size and stride, for `receptive_field`

    def call(self, x):
        p = self.pool_size
        self._check(x.shape)
        batch, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (batch, height // p, p, width // p, p, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))                             # B, H, W, i, j, C
        windows = ops.reshape(x, (batch, height // p, width // p, p * p, channels))
        indices = ops.cast(ops.argmax(windows, axis=3), "int32")
        chosen = is_chosen(indices, p)
        return ops.sum(ops.where(chosen, windows, ops.zeros_like(windows)), axis=3), indices

    def compute_output_shape(self, shape):
        self._check(shape)
        p, (batch, height, width, channels) = self.pool_size, shape
        pooled = (batch, height and height // p, width and width // p, channels)
        return [pooled, pooled]

    def compute_output_spec(self, x):
        values, indices = self.compute_output_shape(x.shape)
        return [KerasTensor(values, self.compute_dtype), KerasTensor(indices, "int32")]

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size}

    def _check(self, shape):
        p, (height, width) = self.pool_size, shape[1:3]
        if any(side is not None and side % p for side in (height, width)):
            fit = "×".join("any" if n is None else str(max(p, n - n % p)) for n in (height, width))
            raise ValueError(
                f"MaxPoolingWithIndices2D({p}) needs a height and width that {p} divides, "
                f"not {height}×{width}; {fit} would fit."
            )


@keras.saving.register_keras_serializable(package="course_utils")
class MaxUnpooling2D(layers.Layer):
    """Puts each value back where its window had the maximum, zeros elsewhere (Noh et al. 2015, figure 3).

    Takes `[values, indices]`, both (B, H, W, C), as `MaxPoolingWithIndices2D` of the same `pool_size`
    returns them; returns (B, pH, pW, C). The same numbers as torch's `MaxUnpool2d`, whose indices
    count over the whole plane instead of the window.

    Args:
        pool_size: int, p.

    Raises:
        ValueError: values and indices differ in shape.
    """

    def __init__(self, pool_size=2, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = pool_size
        self.window = (1, Fraction(1, pool_size))

    def call(self, inputs):
        p, (values, indices) = self.pool_size, inputs
        self._check(values.shape, indices.shape)
        batch, height, width, channels = ops.shape(values)
        values = values[:, :, :, None]                                       # B, H, W, 1, C
        windows = ops.where(is_chosen(indices, p), values, ops.zeros_like(values))
        x = ops.reshape(windows, (batch, height, width, p, p, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))                             # B, H, i, W, j, C
        return ops.reshape(x, (batch, height * p, width * p, channels))

    def compute_output_shape(self, input_shapes):
        self._check(*input_shapes)
        p, (batch, height, width, channels) = self.pool_size, input_shapes[0]
        return (batch, height and height * p, width and width * p, channels)

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size}

    def _check(self, values, indices):
        if any(None not in (a, b) and a != b for a, b in zip(values, indices, strict=True)):
            raise ValueError(
                f"MaxUnpooling2D needs values and indices of one shape, not {tuple(values[1:])} and "
                f"{tuple(indices[1:])}; indices of a pooling with these sizes and channels would fit."
            )


def is_chosen(indices, pool_size):
    """Indices (B, H, W, C) as a mask (B, H, W, p², C): which place of its window each one names."""
    places = ops.arange(pool_size**2, dtype="int32")
    return ops.equal(indices[:, :, :, None], ops.reshape(places, (-1, 1)))
