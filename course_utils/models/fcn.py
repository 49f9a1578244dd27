"""Fully convolutional networks (Long, Shelhamer & Darrell 2015, figure 3)."""

import keras
from keras import layers, ops

from course_utils.models.blocks import check_divisible, conv, max_pool
from course_utils.models.vgg16 import vgg_block


def fcn(
    input_shape=(512, 512, 3), num_classes=21, *, stride=8, filters=64, dense=4096, batch_norm=False,
    dropout=0.5, learned_upsampling=False,
):  # fmt: skip
    """FCN-32s, FCN-16s or FCN-8s on VGG-16.

    The paper pads the picture by 100 pixels and crops the result; here fc6 is padded instead ("same"),
    which keeps all maps aligned and gives the picture's size without cropping.

    Args:
        input_shape: (H, W, C); H and W multiples of 32, or None.
        num_classes: int, K.
        stride: 32, 16 or 8, pixels of the picture per pixel of the finest prediction.
        filters: int, filters of the first block.
        dense: int, filters of fc6 and fc7.
        batch_norm: normalize after each convolution (not in the paper).
        dropout: float, rate after fc6 and fc7.
        learned_upsampling: False resizes bilinearly; True learns transposed convolutions, which start
            as bilinear ones (section 4.3) and differ from them at the border, where they see zeros.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: there is no such stride, or H or W is no multiple of 32.
    """
    if stride not in (32, 16, 8):
        raise ValueError(f"stride={stride}; fcn has 32, 16 and 8.")
    check_divisible(input_shape, 32, "fcn")
    x = inputs = keras.Input(input_shape)
    pools = []
    for block in range(5):
        x = vgg_block(x, block, filters, batch_norm=batch_norm)
        x = max_pool(x, name=f"pool{block + 1}")                       # H/2, W/2, …, H/32, W/32
        pools.append(x)
    for name, size in (("fc6", 7), ("fc7", 1)):
        x = conv(x, dense, size, batch_norm=batch_norm, name=name)
        x = layers.Dropout(dropout)(x)
    x = layers.Conv2D(num_classes, 1, name="score_fc7")(x)
    for number in {32: (), 16: (4,), 8: (4, 3)}[stride]:
        x = upsample(x, 2, learned_upsampling)                         # H/16, W/16; H/8, W/8
        x = layers.Add(name=f"fuse_pool{number}")([x, skip_score(pools[number - 1], number, num_classes)])
    x = upsample(x, stride, learned_upsampling, name="logits")         # H, W
    return keras.Model(inputs, x, name=f"fcn{stride}s")


def skip_score(x, number, num_classes):
    """Class scores from a pooling layer, zero at first: training starts from the coarser network."""
    return layers.Conv2D(num_classes, 1, kernel_initializer="zeros", name=f"score_pool{number}")(x)


def upsample(x, factor, learned, name=None):
    """Scores, `factor` times as high and wide."""
    if not learned:
        return layers.UpSampling2D(factor, interpolation="bilinear", name=name)(x)
    return layers.Conv2DTranspose(
        x.shape[-1], 2 * factor, factor, "same", use_bias=False, kernel_initializer=Bilinear(), name=name
    )(x)  # fmt: skip


@keras.saving.register_keras_serializable(package="course_utils")
class Bilinear(keras.initializers.Initializer):
    """Kernel (2f, 2f, C, C) of a transposed convolution with stride f that resizes bilinearly by f."""

    def __call__(self, shape, dtype=None):
        size, _, filters, channels = shape
        offsets = ops.arange(size, dtype="float32") - (size - 1) / 2
        ramp = 1 - ops.abs(offsets) / (size / 2)
        square = ramp[:, None] * ramp[None, :]
        return ops.cast(square[:, :, None, None] * ops.eye(filters, channels), dtype or "float32")
