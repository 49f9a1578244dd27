"""VGG-16 (Simonyan & Zisserman 2015, table 1, configuration D)."""

import keras
from keras import layers

from course_utils.models.blocks import check_divisible, conv, max_pool

BLOCKS = (2, 2, 3, 3, 3)    # convolutions in each block
WIDTHS = (1, 2, 4, 8, 8)    # their filters, in multiples of the first block's


def vgg16(input_shape=(224, 224, 3), num_classes=1000, *, filters=64, dense=4096, batch_norm=False):
    """VGG-16: thirteen 3×3 convolutions, three dense layers.

    Args:
        input_shape: (H, W, C); H and W multiples of 32.
        num_classes: int, K.
        filters: int, filters of the first block.
        dense: int, units of the two hidden dense layers.
        batch_norm: normalize after each convolution (not in the paper).

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, K).

    Raises:
        ValueError: H or W is no multiple of 32.
    """
    check_divisible(input_shape, 32, "vgg16")
    x = inputs = keras.Input(input_shape)
    for block in range(5):
        x = vgg_block(x, block, filters, batch_norm=batch_norm)
        x = max_pool(x, name=f"pool{block + 1}")                     # H/2, W/2, …, H/32, W/32
    x = layers.Flatten()(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(dense, "relu", kernel_initializer="he_normal", name=name)(x)
        x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name="vgg16")


def vgg_block(x, block, filters=64, *, batch_norm=False, use_bias=True, dilation_rate=1):
    """The convolutions of block 0 … 4, without the pooling after them."""
    for i in range(BLOCKS[block]):
        x = conv(
            x, filters * WIDTHS[block], dilation_rate=dilation_rate, batch_norm=batch_norm,
            use_bias=use_bias, name=f"conv{block + 1}_{i + 1}",
        )  # fmt: skip
    return x
