"""Spatial pyramids: of atrous convolutions, and of averages over grids."""

import keras
from keras import layers, ops

from course_utils.layers.normalization import BatchNormalization


@keras.saving.register_keras_serializable(package="course_utils")
class AtrousSpatialPyramidPooling(layers.Layer):
    """DeepLab's pyramid: a 1×1 convolution, 3×3 ones at several rates, and the mean of the picture.

    Each branch has batch normalization and ReLU; all are concatenated and projected by a 1×1
    convolution. Takes (B, h, w, C), returns (B, h, w, filters). Chen et al. 2017 ("Rethinking atrous
    convolution"), section 3.3 and figure 5; separable: Chen et al. 2018, section 3.1.

    Args:
        filters: int, of each branch and of the result.
        rates: ints, dilation of the 3×3 convolutions, in pixels of the feature map.
        separable: make them a 3×3 filter for each channel, then a 1×1 convolution.
        image_pooling: False leaves the mean of the picture out.
        dropout: float, the part of the result set to zero in training.

    Raises:
        ValueError: no rates, or one below 1.
    """

    def __init__(
        self, filters=256, rates=(6, 12, 18), separable=False, image_pooling=True, dropout=0.1, **kwargs
    ):  # fmt: skip
        super().__init__(**kwargs)
        if not rates or min(rates) < 1:
            raise ValueError(f"rates={tuple(rates)}; give one or more whole numbers from 1 up.")
        self.filters, self.rates, self.separable = filters, tuple(rates), separable
        self.image_pooling, self.dropout = image_pooling, dropout
        self.pointwise = self._branch("pointwise", layers.Conv2D, 1)
        atrous = layers.SeparableConv2D if separable else layers.Conv2D
        self.atrous = [
            self._branch(f"atrous_{rate}", atrous, 3, padding="same", dilation_rate=rate)
            for rate in self.rates
        ]
        self.image = self._branch("image", layers.Conv2D, 1) if image_pooling else None
        self.projection = self._branch("projection", layers.Conv2D, 1)
        self.drop = layers.Dropout(dropout, dtype=self.dtype_policy)

    def _branch(self, name, convolution, kernel_size, **options):
        dtype = self.dtype_policy
        steps = [
            convolution(self.filters, kernel_size, use_bias=False, dtype=dtype, **options),
            BatchNormalization(dtype=dtype),
            layers.ReLU(dtype=dtype),
        ]
        return keras.Sequential(steps, name=name)

    def build(self, shape):
        batch, *_, channels = shape
        for branch in (self.pointwise, *self.atrous):
            branch.build(shape)
        if self.image:
            self.image.build((batch, 1, 1, channels))
        branches = 1 + len(self.atrous) + self.image_pooling
        self.projection.build((*shape[:-1], branches * self.filters))

    def call(self, x):
        branches = [branch(x) for branch in (self.pointwise, *self.atrous)]
        if self.image:
            mean = ops.mean(ops.cast(x, "float32"), axis=(1, 2), keepdims=True)       # B, 1, 1, C
            mean = self.image(ops.cast(mean, x.dtype))
            branches.append(ops.broadcast_to(mean, ops.shape(branches[0])))           # B, h, w, filters
        return self.drop(self.projection(ops.concatenate(branches, axis=-1)))

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.filters)

    def get_config(self):
        names = ("filters", "rates", "separable", "image_pooling", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="course_utils")
class GridAveragePooling2D(layers.Layer):
    """Averages over a grid of cells that covers the picture: (B, H, W, C) to (B, size, size, C).

    Cell i spans the rows ⌊iH/size⌋ to ⌈(i+1)H/size⌉, as in torch's `AdaptiveAvgPool2d`: neighbours
    share a row where size does not divide H. Height and width may differ from call to call.

    Args:
        size: int, cells in each direction.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        _, height, width, _ = ops.shape(x)
        rows, columns = (ops.cast(self._cells(side), x.dtype) for side in (height, width))
        x = ops.einsum("ih,bhwc->biwc", rows, x)
        return ops.einsum("jw,biwc->bijc", columns, x)

    def _cells(self, side):
        """The matrix (size, side) that averages over each cell."""
        cell, pixel = ops.arange(self.size)[:, None], ops.arange(side)[None]
        start, end = cell * side // self.size, -(-(cell + 1) * side // self.size)
        inside = ops.cast((pixel >= start) & (pixel < end), "float32")
        return inside / ops.sum(inside, axis=1, keepdims=True)

    def compute_output_shape(self, shape):
        return (shape[0], self.size, self.size, shape[3])

    def get_config(self):
        return {**super().get_config(), "size": self.size}
