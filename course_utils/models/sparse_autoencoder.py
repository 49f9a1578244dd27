"""The sparse autoencoder (Ranzato, Poultney, Chopra & LeCun 2007; Goodfellow et al. 2016, section 14.2.1)."""

import keras

from course_utils.models.blocks import check_divisible
from course_utils.models.conv_autoencoder import conv_decoder, conv_encoder


def sparse_autoencoder(input_shape=(64, 64, 3), *, code=2048, filters=32, depth=3, l1=1e-5):
    """The convolutional autoencoder with a price on every number of the code that is not zero.

    Args:
        input_shape: (H, W, C); H and W multiples of 2^depth.
        code: int, numbers that describe a picture; more than the picture has is no mistake here.
        filters: int, filters at full resolution; twice as many each level down.
        depth: int, how often the resolution is halved.
        l1: float, the price: l1 · Σ|code|, averaged over the batch, is added to the loss.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to pictures of the same shape in (0, 1); its layers
        "encoder" and "decoder" are models too. The code goes through ReLU, so that it can be exactly 0.

    Raises:
        ValueError: 2^depth does not divide H or W.
    """
    check_divisible(input_shape, 2**depth, "sparse_autoencoder")
    encoder = conv_encoder(
        input_shape, code, filters, depth, activation="relu", activity_regularizer=keras.regularizers.L1(l1),
    )  # fmt: skip
    decoder = conv_decoder(input_shape, code, filters, depth)
    pictures = keras.Input(input_shape)
    return keras.Model(pictures, decoder(encoder(pictures)), name="sparse_autoencoder")
