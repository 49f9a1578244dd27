"""The adversarial network (Goodfellow et al. 2014), conditional on a class (Mirza & Osindero 2014)."""

import keras
import numpy as np
from keras import layers, ops

from course_utils.models.blocks import norm_act


def gan(input_shape=(28, 28, 1), num_classes=10, *, code=100, units=256):
    """A conditional GAN: a generator from labels to pictures, and the discriminator that is its loss.

    It trains by plain `compile(optimizer)`, without a loss, and `fit` on (labels, pictures): for the
    labels of a batch it invents pictures, and the discriminator tells them from the true ones. Adam
    with a learning rate of 2e-4 and `beta_1=0.5` (Radford et al. 2016) is a good start.

    Args:
        input_shape: (H, W, C) of the pictures.
        num_classes: int, K.
        code: int, random numbers behind a picture, k.
        units: int, of the first hidden layer of the generator; the others grow with it.

    Returns:
        Model from labels int (B,) to random pictures (B, H, W, C) in (0, 1). Its parts are models too:
        `generator`, from `[codes, labels]` to pictures, and `discriminator`, from
        `[pictures, labels]` to logits (B, 1), positive for true pictures.
    """
    players = (
        picture_generator(input_shape, num_classes, code, units),
        picture_discriminator(input_shape, num_classes, units),
    )
    model = ConditionalGAN(*players, name="gan")
    model.build((None,))
    return model


def picture_generator(input_shape, num_classes, code, units):
    """Random codes (B, k) and labels to pictures."""
    codes, label = keras.Input((code,)), keras.Input((), dtype="int32")
    x = layers.Concatenate()([codes, one_hot(label, num_classes)])
    for width in (units, 2 * units):
        # Without normalization the generator soon gives one picture whatever the code and label.
        x = norm_act(layers.Dense(width, use_bias=False)(x))
    x = layers.Dense(int(np.prod(input_shape)), "sigmoid", dtype="float32")(x)
    return keras.Model([codes, label], layers.Reshape(input_shape)(x), name="generator")


def picture_discriminator(input_shape, num_classes, units):
    """Pictures and labels to one logit: is this a true picture of that class?"""
    pictures, label = keras.Input(input_shape), keras.Input((), dtype="int32")
    x = layers.Concatenate()([layers.Flatten()(pictures), one_hot(label, num_classes)])
    for width in (2 * units, units):
        x = layers.Dense(width)(x)
        x = layers.LeakyReLU(0.2)(x)
    return keras.Model([pictures, label], layers.Dense(1, dtype="float32")(x), name="discriminator")


def one_hot(label, num_classes):
    return layers.CategoryEncoding(num_classes, output_mode="one_hot")(label)


@keras.saving.register_keras_serializable(package="course_utils")
class ConditionalGAN(keras.Model):
    """Both players of a conditional GAN, trained in one step by one optimizer.

    Args:
        generator: Model from `[codes, labels]` to pictures.
        discriminator: Model from `[pictures, labels]` to logits (B, 1), without randomness of its own.
        seed: int or None, for the codes.
    """

    def __init__(self, generator, discriminator, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.generator, self.discriminator, self.seed = generator, discriminator, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.generator_loss = keras.metrics.Mean(name="generator_loss")
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")

    def call(self, labels, training=False):
        shape = (ops.shape(labels)[0], self.generator.inputs[0].shape[-1])
        codes = keras.random.normal(shape, dtype="float32", seed=self.seed_generator)
        return self.generator([codes, labels], training=training)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        """The sum of both players' losses, each of which changes that player's weights alone."""
        labels, true, invented = x, y, y_pred
        # The discriminator learns from the invented pictures, but not through them …
        says_true = self.discriminator([true, labels])
        says_invented = self.discriminator([ops.stop_gradient(invented), labels])
        discriminator_loss = ops.mean(ops.softplus(-says_true)) + ops.mean(ops.softplus(says_invented))
        # … and the generator through the discriminator, whose weights hold still. Its loss is the one
        # that does not saturate, -log D(G(z)) (section 3 of the paper).
        frozen = [ops.stop_gradient(w.value) for w in self.discriminator.trainable_variables]
        rest = [w.value for w in self.discriminator.non_trainable_variables]
        judged, _ = self.discriminator.stateless_call(frozen, rest, [invented, labels])
        generator_loss = ops.mean(ops.softplus(-judged))
        self.generator_loss.update_state(generator_loss)
        self.discriminator_loss.update_state(discriminator_loss)
        return discriminator_loss + generator_loss

    def get_config(self):
        players = {"generator": self.generator, "discriminator": self.discriminator}
        players = {name: keras.saving.serialize_keras_object(player) for name, player in players.items()}
        return {**super().get_config(), **players, "seed": self.seed}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        players = ("generator", "discriminator")
        built = {name: keras.saving.deserialize_keras_object(config[name]) for name in players}
        return cls(**{**config, **built})
