"""SegNet (Badrinarayanan, Kendall & Cipolla 2017, figure 2)."""

import keras
from keras import layers

from course_utils.layers.pooling import MaxPoolingWithIndices2D, MaxUnpooling2D
from course_utils.models.blocks import check_divisible, conv
from course_utils.models.vgg16 import BLOCKS, WIDTHS, vgg_block


def segnet(input_shape=(352, 480, 3), num_classes=11, *, filters=64, blocks=5):
    """SegNet: VGG-16 without its dense layers, and its mirror image, which unpools by stored indices.

    Args:
        input_shape: (H, W, C); H and W multiples of 2^blocks, or None. The default is the paper's
            360×480 (CamVid), cropped to such.
        num_classes: int, K.
        filters: int, filters of the first block.
        blocks: int, 1 to 5, how many of VGG-16's blocks.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: there are not as many blocks, or H or W is no multiple of 2^blocks.
    """
    if blocks not in range(1, 6):
        raise ValueError(f"blocks={blocks}; VGG-16 has five, so 1 to 5 would fit.")
    check_divisible(input_shape, 2**blocks, "segnet")
    x = inputs = keras.Input(input_shape)
    places = []
    for block in range(blocks):                                        # encoder
        x = vgg_block(x, block, filters, batch_norm=True)
        x, indices = MaxPoolingWithIndices2D(name=f"pool{block + 1}")(x)        # H/2, W/2
        places.append(indices)
    for block in reversed(range(blocks)):                              # decoder
        x = MaxUnpooling2D(name=f"unpool{block + 1}")([x, places[block]])       # 2H, 2W
        x = decoder_block(x, block, filters)
    x = layers.Conv2D(num_classes, 3, padding="same", name="logits")(x)
    return keras.Model(inputs, x, name="segnet")


def decoder_block(x, block, filters):
    """Block 0 … 4 of VGG-16 from its end to its start; the logits stand for the very last convolution."""
    widths = [WIDTHS[block]] * (BLOCKS[block] - 1) + [WIDTHS[block - 1]] * (block > 0)
    for i, width in enumerate(widths):
        name = f"conv{block + 1}_{BLOCKS[block] - i}_D"                # as in the authors' files
        x = conv(x, filters * width, batch_norm=True, use_bias=True, name=name)
    return x
