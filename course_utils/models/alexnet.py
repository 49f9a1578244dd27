"""AlexNet (Krizhevsky, Sutskever & Hinton 2012, figure 2)."""

import keras
from keras import layers

from course_utils.layers.normalization import LocalResponseNormalization
from course_utils.models.blocks import check_at_least, conv


def alexnet(input_shape=(227, 227, 3), num_classes=1000, *, filters=96, dense=4096):
    """AlexNet on one GPU: the two towers of the figure as one, every filter sees all channels.

    The paper says 224, but its 55×55 maps after conv1 need 227.

    Args:
        input_shape: (H, W, C); H and W at least 67.
        num_classes: int, K.
        filters: int, filters of conv1; the others grow with it.
        dense: int, units of the two hidden dense layers.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, K).

    Raises:
        ValueError: H or W is below 67.
    """
    check_at_least(input_shape, 67, "alexnet")
    plain = {"batch_norm": False}
    x = inputs = keras.Input(input_shape)                                    # 227, 227, 3
    x = layers.Conv2D(filters, 11, 4, activation="relu", kernel_initializer="he_normal", name="conv1")(x)
    x = LocalResponseNormalization(name="norm1")(x)                          # 55, 55, 96
    x = layers.MaxPooling2D(3, 2, name="pool1")(x)                           # 27, 27, 96
    x = conv(x, filters * 8 // 3, 5, **plain, name="conv2")                  # 27, 27, 256
    x = LocalResponseNormalization(name="norm2")(x)
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)                           # 13, 13, 256
    x = conv(x, filters * 4, **plain, name="conv3")                          # 13, 13, 384
    x = conv(x, filters * 4, **plain, name="conv4")                          # 13, 13, 384
    x = conv(x, filters * 8 // 3, **plain, name="conv5")                     # 13, 13, 256
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)                           # 6, 6, 256
    x = layers.Flatten()(x)                                                  # 9216
    for name in ("fc6", "fc7"):
        x = layers.Dense(dense, "relu", kernel_initializer="he_normal", name=name)(x)
        x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name="alexnet")
