"""Ways to make a feature map larger."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="course_utils")
class ResizeLike(layers.Layer):
    """Bilinear resizing of one feature map to the height and width of another.

    Takes `[x, like]`, x (B, h, w, C) and like (B, H, W, D); returns (B, H, W, C). Pixels are areas and
    their centres are aligned, as in torch's `interpolate(align_corners=False)`.
    """

    def call(self, inputs):
        x, like = inputs
        if None not in like.shape[1:3]:
            return ops.cast(ops.image.resize(x, like.shape[1:3], "bilinear"), x.dtype)
        rows, columns = (  # a graph of unknown size, which Keras's own resizing does not take
            ops.cast(bilinear_matrix(ops.shape(x)[axis], ops.shape(like)[axis]), x.dtype) for axis in (1, 2)
        )
        return ops.einsum("jw,biwc->bijc", columns, ops.einsum("ih,bhwc->biwc", rows, x))

    def compute_output_shape(self, input_shapes):
        x, like = input_shapes
        return (x[0], *like[1:3], x[3])


def bilinear_matrix(old, new):
    """The matrix that takes `old` numbers in a row to `new` ones by linear interpolation: (new, old)."""
    place = (ops.arange(new, dtype="float32") + 0.5) * ops.cast(old / new, "float32") - 0.5
    place = ops.clip(place, 0, ops.cast(old - 1, "float32"))
    distance = ops.abs(place[:, None] - ops.arange(old, dtype="float32"))
    return ops.maximum(1 - distance, 0)


@keras.saving.register_keras_serializable(package="course_utils")
class PixelShuffle2D(layers.Layer):
    """Sub-pixel rearrangement (Shi et al. 2016, section 2.2): (B, H, W, r²C) to (B, rH, rW, C).

    Args:
        scale: int, r. The channels of one output pixel are read in the order of torch's `PixelShuffle`:
            channel c·r² + r·i + j goes to row i and column j of the r×r square, channel c.

    Raises:
        ValueError: r² does not divide the number of channels.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def build(self, shape):
        square, channels = self.scale**2, shape[-1]
        if channels % square:
            raise ValueError(
                f"PixelShuffle2D({self.scale}) needs a multiple of {square} channels, not {channels}; "
                f"{-(-channels // square) * square} would fit."
            )

    def call(self, x):
        r, (_, height, width, channels) = self.scale, ops.shape(x)
        x = ops.reshape(x, (-1, height, width, channels // r**2, r, r))     # B, H, W, C, i, j
        x = ops.transpose(x, (0, 1, 4, 2, 5, 3))                            # B, H, i, W, j, C
        return ops.reshape(x, (-1, height * r, width * r, channels // r**2))

    def compute_output_shape(self, shape):
        r, (batch, height, width, channels) = self.scale, shape
        return (batch, height and height * r, width and width * r, channels // r**2)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
