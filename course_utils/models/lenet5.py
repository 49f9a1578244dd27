"""LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998, figure 2)."""

import keras
from keras import layers

from course_utils.models.blocks import check_at_least


def lenet5(input_shape=(32, 32, 1), num_classes=10, *, filters=(6, 16), dense=(120, 84)):
    """LeNet-5 in its dense variant: every filter of C3 sees all maps of S2 (table I leaves some out).

    Args:
        input_shape: (H, W, C); H and W at least 16.
        num_classes: int, K.
        filters: two ints, filters of C1 and C3.
        dense: two ints, units of C5 and F6.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, K).

    Raises:
        ValueError: H or W is below 16.
    """
    check_at_least(input_shape, 16, "lenet5")
    x = inputs = keras.Input(input_shape)                                    # 32, 32, 1
    x = layers.Conv2D(filters[0], 5, activation="tanh", name="C1")(x)        # 28, 28, 6
    x = layers.AveragePooling2D(2, name="S2")(x)                             # 14, 14, 6
    x = layers.Conv2D(filters[1], 5, activation="tanh", name="C3")(x)        # 10, 10, 16
    x = layers.AveragePooling2D(2, name="S4")(x)                             # 5, 5, 16
    x = layers.Flatten()(x)                                                  # 400
    x = layers.Dense(dense[0], activation="tanh", name="C5")(x)              # 120
    x = layers.Dense(dense[1], activation="tanh", name="F6")(x)              # 84
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name="lenet5")
