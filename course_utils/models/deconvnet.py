"""The deconvolution network (Noh, Hong & Han 2015, figure 2)."""

import keras
from keras import layers

from course_utils.layers.pooling import MaxPoolingWithIndices2D, MaxUnpooling2D
from course_utils.models.blocks import check_divisible, norm_act
from course_utils.models.vgg16 import BLOCKS, WIDTHS, vgg_block


def deconvnet(
    input_shape=(224, 224, 3), num_classes=21, *, filters=64, dense=4096, window=7, blocks=5
):  # fmt: skip
    """DeconvNet: VGG-16 with its dense layers, and its mirror image of unpooling and deconvolution.

    Args:
        input_shape: (H, W, C); H and W multiples of 2^blocks and at least window · 2^blocks, or None.
        num_classes: int, K.
        filters: int, filters of the first block.
        dense: int, units of fc6 and fc7.
        window: int, the height and width that fc6 sees at once; 7 is all there is of a 224×224 picture.
        blocks: int, 1 to 5, how many of VGG-16's blocks.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: there are not as many blocks, or H or W does not fit them and the window.
    """
    check_size(input_shape, window, blocks)
    x = inputs = keras.Input(input_shape)
    switches = []
    for block in range(blocks):
        x = vgg_block(x, block, filters, batch_norm=True)
        x, switch = MaxPoolingWithIndices2D(name=f"pool{block + 1}")(x)         # H/2, W/2
        switches.append(switch)
    width = x.shape[-1]
    x = normalized(layers.Conv2D, x, dense, window, name="fc6")                 # 1, 1
    x = normalized(layers.Conv2D, x, dense, 1, name="fc7")
    x = normalized(layers.Conv2DTranspose, x, width, window, name="deconv_fc6")     # window, window
    for block in reversed(range(blocks)):
        x = MaxUnpooling2D(name=f"unpool{block + 1}")([x, switches[block]])     # 2H, 2W
        x = deconv_block(x, block, filters)
    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    return keras.Model(inputs, x, name="deconvnet")


def deconv_block(x, block, filters):
    """Deconvolutions for block 0 … 4 of VGG-16; the last has the width of the block before."""
    widths = [WIDTHS[block]] * (BLOCKS[block] - 1) + [WIDTHS[max(block - 1, 0)]]
    for i, width in enumerate(widths):
        name = f"deconv{block + 1}_{i + 1}"
        x = normalized(layers.Conv2DTranspose, x, filters * width, 3, "same", name=name)
    return x


def normalized(layer, x, filters, size, padding="valid", *, name):
    """A convolution or deconvolution, batch normalization, ReLU."""
    x = layer(filters, size, padding=padding, kernel_initializer="he_normal", name=name)(x)
    return norm_act(x, name=name)


def check_size(input_shape, window, blocks):
    """Raise `ValueError` unless the pooled features are whole and at least as large as fc6's window."""
    if blocks not in range(1, 6):
        raise ValueError(f"blocks={blocks}; VGG-16 has five, so 1 to 5 would fit.")
    check_divisible(input_shape, 2**blocks, "deconvnet")
    sides = [side for side in input_shape[:2] if side is not None]
    if sides and min(sides) < window * 2**blocks:
        raise ValueError(
            f"deconvnet's fc6 sees {window}×{window} pooled features, which takes a height and width of at "
            f"least {window * 2**blocks}, not {min(sides)}; window={min(sides) // 2**blocks} would fit."
        )
