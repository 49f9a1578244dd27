"""A convolutional autoencoder with a dense code (Masci, Meier, Cireşan & Schmidhuber 2011)."""

import keras
import numpy as np
from keras import layers

from course_utils.models.blocks import check_divisible, conv, max_pool, norm_act


def conv_autoencoder(input_shape=(64, 64, 3), *, code=256, filters=32, depth=3):
    """Convolution and pooling down to a code, transposed convolution back.

    Args:
        input_shape: (H, W, C); H and W multiples of 2^depth.
        code: int, numbers that describe a picture.
        filters: int, filters at full resolution; twice as many each level down.
        depth: int, how often the resolution is halved.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to pictures of the same shape in (0, 1), float32; its
        layers "encoder" and "decoder" are models too. The code is linear, as PCA's. The pictures go
        through a sigmoid: without it training starts from noise outside [0, 1] rather than from mid-grey.

    Raises:
        ValueError: 2^depth does not divide H or W.
    """
    check_divisible(input_shape, 2**depth, "conv_autoencoder")
    encoder = conv_encoder(input_shape, code, filters, depth)
    decoder = conv_decoder(input_shape, code, filters, depth)
    pictures = keras.Input(input_shape)
    return keras.Model(pictures, decoder(encoder(pictures)), name="conv_autoencoder")


def conv_encoder(
    input_shape, code, filters, depth, *, block=conv, activation=None, activity_regularizer=None
):  # fmt: skip
    """A model from pictures (B, H, W, C) to codes (B, code); `block(x, filters)` at every level."""
    x = pictures = keras.Input(input_shape)
    for level in range(depth):
        x = block(x, filters * 2**level)
        x = max_pool(x)                                                      # H/2, W/2
    x = layers.Flatten()(x)
    x = layers.Dense(
        code, activation, activity_regularizer=activity_regularizer, dtype="float32", name="code",
    )(x)  # fmt: skip
    return keras.Model(pictures, x, name="encoder")


def up_conv(x, filters):
    """Transposed convolution, which doubles height and width, normalization, ReLU."""
    x = layers.Conv2DTranspose(filters, 4, 2, "same", use_bias=False, kernel_initializer="he_normal")(x)
    return norm_act(x)


def conv_decoder(input_shape, code, filters, depth, *, up=up_conv):
    """A model from codes (B, code) to pictures (B, H, W, C); `up(x, filters)` doubles H and W."""
    height, width, channels = input_shape
    smallest = (height // 2**depth, width // 2**depth, filters * 2 ** (depth - 1))
    x = codes = keras.Input((code,))
    x = layers.Dense(int(np.prod(smallest)), "relu", kernel_initializer="he_normal")(x)
    x = layers.Reshape(smallest)(x)
    for level in reversed(range(depth)):
        x = up(x, filters * 2**level)                                        # 2H, 2W
    x = layers.Conv2D(channels, 3, padding="same", activation="sigmoid", dtype="float32", name="pictures")(x)
    return keras.Model(codes, x, name="decoder")
