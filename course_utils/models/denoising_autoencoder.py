"""The denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008)."""

import keras
from keras import layers

from course_utils.layers.noise import MaskingNoise
from course_utils.models.blocks import check_divisible
from course_utils.models.conv_autoencoder import conv_decoder, conv_encoder

NOISE = {"gaussian": layers.GaussianNoise, "masking": MaskingNoise}


def denoising_autoencoder(
    input_shape=(64, 64, 3), *, code=256, filters=32, depth=3, noise="masking", amount=0.25
):  # fmt: skip
    """The convolutional autoencoder, whose encoder sees spoilt pictures while it is trained.

    Args:
        input_shape: (H, W, C); H and W multiples of 2^depth.
        code: int, numbers that describe a picture.
        filters: int, filters at full resolution; twice as many each level down.
        depth: int, how often the resolution is halved.
        noise: "masking" sets numbers to zero, "gaussian" adds noise.
        amount: float, the share of numbers set to zero, or the noise's standard deviation.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to pictures of the same shape in (0, 1); its layers
        "encoder" and "decoder" are models too. Its layer "noise" acts in training only.

    Raises:
        ValueError: 2^depth does not divide H or W, or there is no such noise.
    """
    check_divisible(input_shape, 2**depth, "denoising_autoencoder")
    if noise not in NOISE:
        raise ValueError(f"noise={noise!r}; use {' or '.join(map(repr, NOISE))}.")
    encoder = conv_encoder(input_shape, code, filters, depth)
    decoder = conv_decoder(input_shape, code, filters, depth)
    pictures = keras.Input(input_shape)
    spoilt = NOISE[noise](amount, name="noise")(pictures)
    return keras.Model(pictures, decoder(encoder(spoilt)), name="denoising_autoencoder")
