"""The linear autoencoder (Bourlard & Kamp 1988; Baldi & Hornik 1989)."""

import keras
import numpy as np
from keras import layers


def linear_autoencoder(input_shape, code=32):
    """One linear layer down to the code, one linear layer back; no activation anywhere.

    Args:
        input_shape: tuple of int, shape of a picture without the batch axis.
        code: int, numbers that describe a picture.

    Returns:
        Model from pictures to pictures of the same shape; its layers "encoder" and "decoder" are
        models too. Always in float32: half precision cannot resolve the subspace that it finds.
    """
    size = int(np.prod(input_shape))                         # D
    encoder = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(dtype="float32"),                 # D
            layers.Dense(code, dtype="float32"),             # k: the code h
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((code,)),
            layers.Dense(size, dtype="float32"),             # D
            layers.Reshape(input_shape, dtype="float32"),
        ],
        name="decoder",
    )
    pictures = keras.Input(input_shape)
    return keras.Model(pictures, decoder(encoder(pictures)), name="linear_autoencoder")
