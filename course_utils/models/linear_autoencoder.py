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
    exact = {"dtype": "float32"}
    size = int(np.prod(input_shape))                          # D
    encoder = keras.Sequential(name="encoder")
    encoder.add(keras.Input(input_shape))
    encoder.add(layers.Flatten(**exact))                      # D
    encoder.add(layers.Dense(code, **exact))                  # k: the code h
    decoder = keras.Sequential(name="decoder")
    decoder.add(keras.Input((code,)))
    decoder.add(layers.Dense(size, **exact))                  # D
    decoder.add(layers.Reshape(input_shape, **exact))
    pictures = keras.Input(input_shape)
    return keras.Model(pictures, decoder(encoder(pictures)), name="linear_autoencoder")
