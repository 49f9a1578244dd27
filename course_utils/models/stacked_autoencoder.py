"""Stacked (denoising) autoencoders (Bengio et al. 2007; Vincent et al. 2010)."""

import keras
import numpy as np
from keras import layers

from course_utils import training
from course_utils.layers.noise import MaskingNoise


def stacked_autoencoder(input_shape=(28, 28, 1), *, code=30, hidden=(1000, 500, 250)):
    """Dense sigmoid layers down to the code, and their mirror image back.

    Args:
        input_shape: tuple of int, shape of a picture without the batch axis.
        code: int, numbers that describe a picture.
        hidden: ints, units of the layers between picture and code (here those of Hinton &
            Salakhutdinov 2006, figure 1).

    Returns:
        Model from pictures in [0, 1] to pictures of the same shape in (0, 1); its layers "encoder" and
        "decoder" are models too. `pretrain_layers` trains it layer by layer.
    """
    sizes = [int(np.prod(input_shape)), *hidden, code]                       # 784, 1000, 500, 250, 30
    encoder = keras.Sequential([keras.Input(input_shape), layers.Flatten()], name="encoder")
    for units in sizes[1:]:
        encoder.add(layers.Dense(units, "sigmoid"))
    decoder = keras.Sequential([keras.Input((code,))], name="decoder")
    for units in reversed(sizes[:-1]):
        decoder.add(layers.Dense(units, "sigmoid"))
    decoder.add(layers.Reshape(input_shape))
    pictures = keras.Input(input_shape)
    return keras.Model(pictures, decoder(encoder(pictures)), name="stacked_autoencoder")


def pretrain_layers(model, pictures, *, epochs, noise=0.25, learning_rate=1e-3, **options):
    """Train a stacked autoencoder one layer at a time, each to rebuild what the layer before it says.

    Args:
        model: what `stacked_autoencoder` gives; its weights change.
        pictures: float32 (N, …) in [0, 1].
        epochs: int, for every layer.
        noise: float, share of each layer's input set to zero in training; 0 is Bengio et al. 2007.
        learning_rate: float, of Adam.
        **options: for `training.fit`: batch_size, seed, progress.

    Returns:
        list of what `training.fit` returns, one for each layer.
    """
    down, up = (
        [layer for layer in model.get_layer(half).layers if isinstance(layer, layers.Dense)]
        for half in ("encoder", "decoder")
    )
    codes, histories = pictures.reshape(len(pictures), -1), []
    for number, (encode, decode) in enumerate(zip(down, reversed(up), strict=True), start=1):
        inputs = keras.Input(codes.shape[1:])
        outputs = decode(encode(MaskingNoise(noise)(inputs)))
        pair = keras.Model(inputs, outputs, name=f"layer_{number}")
        pair.compile(keras.optimizers.Adam(learning_rate), loss="binary_crossentropy")
        histories.append(training.fit(pair, (codes, codes), epochs=epochs, **options))
        codes = keras.Model(inputs, encode(inputs)).predict(codes, verbose=0)
    return histories
