"""Squeeze-and-excitation (Hu, Shen & Sun 2018)."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="course_utils")
class SqueezeExcite(layers.Layer):
    """Weighs each channel by a number between 0 and 1 that all channels decide (section 3, figure 1).

    Takes and returns (B, H, W, C).

    Args:
        ratio: int, r; the hidden layer has C / r units, at least one.
    """

    window = None                                        # for `receptive_field`: the whole picture

    def __init__(self, ratio=16, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, shape):
        channels = shape[-1]
        self.squeeze = layers.Dense(
            max(1, channels // self.ratio), "relu", kernel_initializer="he_normal",
            dtype=self.dtype_policy, name="squeeze",
        )  # fmt: skip
        self.excite = layers.Dense(channels, "sigmoid", dtype=self.dtype_policy, name="excite")
        self.squeeze.build((shape[0], channels))
        self.excite.build((shape[0], self.squeeze.units))

    def call(self, x):
        mean = ops.mean(ops.cast(x, "float32"), axis=(1, 2))                 # B, C
        weights = self.excite(self.squeeze(mean))                            # B, C
        return x * weights[:, None, None]

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}
