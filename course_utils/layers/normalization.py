"""Normalization that Keras does not have, or has slower."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="course_utils")
class BatchNormalization(layers.BatchNormalization):
    """Keras's layer with the papers' numbers, and on TensorFlow in one operation while it trains.

    Keras computes it in a dozen operations, each of which reads the whole feature map: a third of a
    U-Net's step on two cores. The numbers are the same.

    Args:
        momentum: float; statistics that follow in tens of steps. Keras's own 0.99 needs hundreds, more
            than a short training has.
        epsilon: float, as in the papers' code; Keras's own is 1e-3.
        **kwargs: as for `keras.layers.BatchNormalization`.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        plain = self.scale and self.center and not self.synchronized and mask is None
        plain = plain and not getattr(self, "renorm", False)  # Keras 3.13 does not have that
        maps = len(inputs.shape) == 4 and self.axis in (-1, 3) and inputs.dtype != "float64"
        if not (training and self.trainable and plain and maps and keras.backend.backend() == "tensorflow"):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # where it is the back-end, it is installed

        gamma, beta = (tf.cast(variable, "float32") for variable in (self.gamma, self.beta))
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, gamma, beta, epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), "float32")
        variance = variance * (count - 1) / count      # it divides by count - 1, Keras by count
        for kept, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            kept.assign(kept * self.momentum + new * (1 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable(package="course_utils")
class LocalResponseNormalization(layers.Layer):
    """Divides by the activity of neighbouring channels (Krizhevsky, Sutskever & Hinton 2012, section 3.3).

    b[c] = a[c] / (k + alpha · Σ a[j]²)^beta, the sum over the `n` channels around c at the same place,
    fewer at the ends. This is the paper's alpha; Caffe and torch divide theirs by n, so that
    `torch.nn.LocalResponseNorm(5, alpha=5e-4, k=2)` is this layer's default.

    Args:
        n: int, odd, channels in the sum.
        k, alpha, beta: float, as in the formula.

    Raises:
        ValueError: n is even or below 1.
    """

    def __init__(self, n=5, k=2.0, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        if n < 1 or n % 2 == 0:
            raise ValueError(f"n={n} channels have no channel in their middle; n={max(1, n + 1)} would fit.")
        self.n, self.k, self.alpha, self.beta = n, k, alpha, beta
        self.window = (1, 1)                   # one pixel: neighbours in channels only

    def call(self, x):
        a = ops.cast(x, "float32")             # squares overflow in half precision
        channels, margin = x.shape[-1], self.n // 2
        squares = ops.pad(ops.square(a), [[0, 0]] * (len(x.shape) - 1) + [[margin, margin]])
        total = sum(squares[..., i : i + channels] for i in range(self.n))
        return ops.cast(a / (self.k + self.alpha * total) ** self.beta, x.dtype)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        sizes = {"n": self.n, "k": self.k, "alpha": self.alpha, "beta": self.beta}
        return {**super().get_config(), **sizes}
