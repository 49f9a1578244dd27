"""An autoencoder of Inception modules (Szegedy et al. 2015, figure 2b, there and back)."""

import keras
from keras import layers

from course_utils.models.blocks import check_divisible
from course_utils.models.conv_autoencoder import conv_decoder, conv_encoder
from course_utils.models.googlenet import inception


def inception_autoencoder(input_shape=(64, 64, 3), *, code=256, filters=32, depth=3):
    """The convolutional autoencoder with an Inception module wherever that has a convolution.

    Args:
        input_shape: (H, W, C); H and W multiples of 2^depth.
        code: int, numbers that describe a picture.
        filters: int, a multiple of 16, channels at full resolution; twice as many each level down.
        depth: int, how often the resolution is halved.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to pictures of the same shape in (0, 1); its layers
        "encoder" and "decoder" are models too.

    Raises:
        ValueError: 2^depth does not divide H or W, or 16 not the filters.
    """
    check_divisible(input_shape, 2**depth, "inception_autoencoder")
    if filters % 16:
        raise ValueError(
            f"inception_autoencoder splits its filters among branches in sixteenths, which {filters} has "
            f"not; {max(16, round(filters / 16) * 16)} would fit."
        )
    encoder = conv_encoder(input_shape, code, filters, depth, block=inception_block)
    decoder = conv_decoder(input_shape, code, filters, depth, up=up_inception)
    pictures = keras.Input(input_shape)
    return keras.Model(pictures, decoder(encoder(pictures)), name="inception_autoencoder")


def inception_block(x, filters):
    """An Inception module with so many channels, shared out as in GoogLeNet's module 3a."""
    return inception(x, [filters * part // 16 for part in (4, 6, 8, 1, 2, 2)], batch_norm=True)


def up_inception(x, filters):
    """Every pixel four times, then an Inception module."""
    return inception_block(layers.UpSampling2D()(x), filters)                # 2H, 2W
