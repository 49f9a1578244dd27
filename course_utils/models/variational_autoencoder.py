"""The variational autoencoder (Kingma & Welling 2014), conditional on a class if asked (Sohn et al. 2015)."""

import keras
import numpy as np
from keras import layers

from course_utils.layers.noise import GaussianSample


def variational_autoencoder(input_shape=(28, 28, 1), *, code=20, num_classes=None, units=500, beta=1.0):
    """An autoencoder whose codes are Gaussians, held near N(0, 1), so that one can draw from it.

    Compile it with `loss="binary_crossentropy"`: with the KL divergence, which the model adds, the loss
    is the negative of the evidence lower bound (equation 3), in nats per number of the picture.

    Args:
        input_shape: (H, W, C).
        code: int, numbers that describe a picture, k.
        num_classes: int, K; None for pictures without labels.
        units: int, of the one hidden layer of encoder and decoder (appendix C).
        beta: float, weight of the KL divergence. Below 1 a code says more about its picture, and pictures
            drawn from N(0, 1) vary more; above 1 is Higgins et al. 2017.

    Returns:
        Model from pictures in [0, 1] to pictures of the same shape in (0, 1); outside training they are
        decoded from the mean code. Its layers are models too: "encoder", to `[mean, log_variance]`,
        each (B, k), and "decoder", from codes (B, k). Given num_classes, all three take a pair,
        with the labels, int (B,), as its second part: `fit((pictures, labels), pictures)`.
    """
    encoder = gaussian_encoder(input_shape, code, num_classes, units)
    decoder = picture_decoder(input_shape, code, num_classes, units)
    pictures, labels = keras.Input(input_shape), label_inputs(num_classes)
    mean, log_variance = encoder(given(pictures, labels))
    # The cross-entropy that Keras computes is a mean over the picture, so the divergence is one too.
    kl_weight = beta / int(np.prod(input_shape))
    codes = GaussianSample(kl_weight, name="code")([mean, log_variance])
    return keras.Model(given(pictures, labels), decoder(given(codes, labels)), name="variational_autoencoder")


def gaussian_encoder(input_shape, code, num_classes, units):
    """q(code | picture, label): the mean and the logarithm of the variance, each (B, code)."""
    pictures, labels = keras.Input(input_shape), label_inputs(num_classes)
    x = with_labels(layers.Flatten()(pictures), labels, num_classes)
    x = layers.Dense(units, "tanh")(x)
    mean = layers.Dense(code, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(code, dtype="float32", name="log_variance")(x)
    return keras.Model(given(pictures, labels), [mean, log_variance], name="encoder")


def picture_decoder(input_shape, code, num_classes, units):
    """p(picture | code, label): for every number of the picture the probability that it is 1."""
    codes, labels = keras.Input((code,)), label_inputs(num_classes)
    x = with_labels(codes, labels, num_classes)
    x = layers.Dense(units, "tanh")(x)
    x = layers.Dense(int(np.prod(input_shape)), "sigmoid", dtype="float32")(x)
    return keras.Model(given(codes, labels), layers.Reshape(input_shape)(x), name="decoder")


def label_inputs(num_classes):
    """A list of the input for labels, empty where there are none."""
    return [] if num_classes is None else [keras.Input((), dtype="int32")]


def given(x, labels):
    """What goes into a model: x, with the labels in a list where there are any."""
    return [x, *labels] if labels else x


def with_labels(x, labels, num_classes):
    """Numbers (B, n) and behind them each label as one-hot (B, K)."""
    for label in labels:
        one_hot = layers.CategoryEncoding(num_classes, output_mode="one_hot")(label)
        x = layers.Concatenate()([x, one_hot])
    return x
