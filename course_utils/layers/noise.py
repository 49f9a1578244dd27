"""Randomness inside a network: corrupted inputs, sampled codes."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="course_utils")
class MaskingNoise(layers.Layer):
    """Sets a random share of the numbers to zero, in training only (Vincent et al. 2010, section 3.3).

    Unlike dropout it leaves the others as they are: what is left of a picture keeps its brightness.

    Args:
        rate: float in [0, 1), the share that is lost.
        seed: int or None.

    Raises:
        ValueError: the rate is outside [0, 1).
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate={rate}; give a share from 0 up to, but not, 1.")
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if not training:
            return x
        kept = keras.random.uniform(ops.shape(x), dtype="float32", seed=self.seed_generator) >= self.rate
        return x * ops.cast(kept, x.dtype)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="course_utils")
class GaussianSample(layers.Layer):
    """Draws a code from N(mean, exp(log_variance)), so that gradients reach both.

    The reparametrization of Kingma & Welling (2014, section 2.4): code = mean + deviation · noise,
    with noise from N(0, 1). Takes `[mean, log_variance]`, each (B, k); returns (B, k), which is the
    mean itself outside training. Adds to the model's loss `kl_weight` times the Kullback-Leibler
    divergence of this Gaussian from N(0, 1), in nats, averaged over the batch (their appendix B).
    Always in float32.

    Args:
        kl_weight: float.
        seed: int or None.
    """

    def __init__(self, kl_weight=1.0, seed=None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.kl_weight, self.seed = kl_weight, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        mean, log_variance = inputs
        kl = ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=-1) / 2     # B
        self.add_loss(self.kl_weight * ops.mean(kl))
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2) * noise

    def compute_output_shape(self, shapes):
        return shapes[0]

    def get_config(self):
        return {**super().get_config(), "kl_weight": self.kl_weight, "seed": self.seed}
