"""What DETR's decoder needs besides attention: learned queries, and the places of pixels."""

import math

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="course_utils")
class Queries(layers.Layer):
    """Learned vectors, the same for every picture.

    Takes features (B, …, C), of which it uses only the number of pictures and of channels; returns
    (B, count, C).

    Args:
        count: int, N, how many.
    """

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def build(self, shape):
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.vectors = self.add_weight(name="vectors", shape=(self.count, shape[-1]), initializer=normal)

    def call(self, x):
        return ops.broadcast_to(self.vectors, (ops.shape(x)[0], *self.vectors.shape))

    def compute_output_shape(self, shape):
        return (shape[0], self.count, shape[-1])

    def get_config(self):
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable(package="course_utils")
class AddSinePositions2D(layers.Layer):
    """Adds to each pixel of a feature map a code of its place, which is not learned.

    The first half of the channels tells the row, the second the column: sines and cosines (in turns) of
    2π (row + 1) / rows times 10000^(-2i / (C/2)), for i = 0 … C/4 - 1 (Vaswani et al. 2017,
    section 3.5; in two dimensions as in Carion et al. 2020, appendix A.4).

    Takes (B, h, w, C) and returns the same shape.

    Raises:
        ValueError: 4 does not divide the number of channels.
    """

    def build(self, shape):
        if shape[-1] % 4:
            raise ValueError(
                f"AddSinePositions2D needs a multiple of 4 channels, not {shape[-1]}; "
                f"{-(-shape[-1] // 4) * 4} would fit."
            )

    def call(self, x):
        _, height, width, channels = ops.shape(x)
        rows = ops.broadcast_to(_waves(height, channels // 2)[:, None], (height, width, channels // 2))
        columns = ops.broadcast_to(_waves(width, channels // 2)[None], (height, width, channels // 2))
        return x + ops.cast(ops.concatenate([rows, columns], axis=-1), x.dtype)

    def compute_output_shape(self, shape):
        return shape


def _waves(length, channels):
    """The code of each place along one axis, float32 (length, channels)."""
    place = ops.cast(ops.arange(1, length + 1), "float32")
    angle = 2 * math.pi * place / (ops.cast(length, "float32") + 1e-6)
    slowness = 10000 ** (ops.arange(0, channels, 2, dtype="float32") / channels)
    angles = angle[:, None] / slowness
    return ops.reshape(ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1), (length, channels))
