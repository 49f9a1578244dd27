"""GoogLeNet (Szegedy et al. 2015, table 1 and figure 3), without the auxiliary classifiers."""

import keras
from keras import layers

from course_utils.layers.normalization import LocalResponseNormalization
from course_utils.models.blocks import conv, max_pool

WIDTHS = {
    #     1×1  3×3 reduce, 3×3  5×5 reduce, 5×5  pool proj
    "3a": (64,        96, 128,          16, 32,  32),
    "3b": (128,      128, 192,          32, 96,  64),
    "4a": (192,       96, 208,          16, 48,  64),
    "4b": (160,      112, 224,          24, 64,  64),
    "4c": (128,      128, 256,          24, 64,  64),
    "4d": (112,      144, 288,          32, 64,  64),
    "4e": (256,      160, 320,         32, 128, 128),
    "5a": (256,      160, 320,         32, 128, 128),
    "5b": (384,      192, 384,         48, 128, 128),
}  # fmt: skip


def googlenet(input_shape=(224, 224, 3), num_classes=1000, *, filters=64):
    """GoogLeNet: nine Inception modules, and one dense layer where AlexNet has three.

    Args:
        input_shape: (H, W, C); H and W may be None.
        num_classes: int, K.
        filters: int, filters of the first convolution; the others grow with it.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, K).
    """
    x = inputs = keras.Input(input_shape)
    x = conv(x, filters, 7, strides=2, batch_norm=False, name="conv1")       # H/2, W/2
    x = max_pool(x, 3, name="pool1")                                         # H/4, W/4
    x = LocalResponseNormalization(name="norm1")(x)
    x = conv(x, filters, 1, batch_norm=False, name="conv2_reduce")
    x = conv(x, filters * 3, 3, batch_norm=False, name="conv2")
    x = LocalResponseNormalization(name="norm2")(x)
    x = max_pool(x, 3, name="pool2")                                         # H/8, W/8
    for module, widths in WIDTHS.items():
        x = inception(x, [width * filters // 64 for width in widths], name=f"inception_{module}")
        if module in ("3b", "4e"):
            x = max_pool(x, 3, name=f"pool{module[0]}")                      # H/16, W/16; H/32, W/32
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.4)(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name="googlenet")


def inception(x, widths, *, batch_norm=False, name=None):
    """The Inception module, figure 2(b): four ways to look at the same place, side by side.

    Args:
        x: (B, H, W, C), not negative.
        widths: six ints, filters in the order of table 1: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5,
            pool projection.
        batch_norm: normalize after each convolution (not in the paper).
        name: str before the names of the layers, or None.

    Returns:
        (B, H, W, C'), with C' the sum of the filters but for the two reductions.
    """
    one, reduce_three, three, reduce_five, five, projection = widths

    def branch(x, filters, kernel_size, part):
        return conv(x, filters, kernel_size, batch_norm=batch_norm, name=name and f"{name}_{part}")

    a = branch(x, one, 1, "1x1")
    b = branch(branch(x, reduce_three, 1, "3x3_reduce"), three, 3, "3x3")
    c = branch(branch(x, reduce_five, 1, "5x5_reduce"), five, 5, "5x5")
    d = branch(max_pool(x, 3, strides=1, name=name and f"{name}_pool"), projection, 1, "pool_projection")
    return layers.Concatenate(name=name)([a, b, c, d])
