"""DeepLab v1 (Chen, Papandreou, Kokkinos, Murphy & Yuille 2015), the variant DeepLab-LargeFOV."""

import keras
from keras import layers

from course_utils.layers.upsampling import ResizeLike
from course_utils.models.blocks import conv, max_pool
from course_utils.models.vgg16 import vgg_block


def deeplab_v1(
    input_shape=(321, 321, 3), num_classes=21, *, filters=64, fc_filters=1024, rate=12, dropout=0.5,
    batch_norm=False,
):  # fmt: skip
    """DeepLab v1: VGG-16 made dense by atrous convolution, scores every 8 pixels, enlarged bilinearly.

    The paper's conditional random field comes after the network: see `course_utils.crf`.

    Args:
        input_shape: (H, W, C); H and W may be None.
        num_classes: int, K.
        filters: int, filters of VGG's first block.
        fc_filters: int, filters of fc6 and fc7.
        rate: int, dilation of fc6, whose field of view is 2 · rate + 1 cells of 8 pixels.
        dropout: float, after fc6 and fc7.
        batch_norm: normalize after each convolution of VGG (not in the paper).

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).
    """
    inputs = keras.Input(input_shape)
    x = vgg_atrous(inputs, filters, batch_norm)                       # H/8, W/8
    x = large_fov(x, num_classes, rate, fc_filters, dropout)
    x = ResizeLike(name="upsample")([x, inputs])                      # H, W
    return keras.Model(inputs, x, name="deeplab_v1")


def vgg_atrous(x, filters=64, batch_norm=False):
    """VGG-16 to pool5 at stride 8: the last two poolings keep the size, block 5 is dilated instead.

    Poolings are 3×3, as in the authors' code: an odd window stays centred on its pixel.
    """
    for block in range(5):
        x = vgg_block(x, block, filters, batch_norm=batch_norm, dilation_rate=2 if block == 4 else 1)
        x = max_pool(x, 3, strides=2 if block < 3 else 1, name=f"pool{block + 1}")
    return x


def large_fov(x, num_classes, rate, filters=1024, dropout=0.5, suffix=""):
    """VGG's dense layers as convolutions: fc6 takes 3×3 taps, `rate` cells apart, instead of 7×7."""
    x = conv(x, filters, 3, dilation_rate=rate, batch_norm=False, name=f"fc6{suffix}")
    x = layers.Dropout(dropout)(x)
    x = conv(x, filters, 1, batch_norm=False, name=f"fc7{suffix}")
    x = layers.Dropout(dropout)(x)
    return layers.Conv2D(num_classes, 1, name=f"fc8{suffix}")(x)
