"""Building blocks that several networks share."""

from keras import layers

from course_utils.layers.normalization import BatchNormalization


def conv(
    x, filters, kernel_size=3, strides=1, dilation_rate=1, *, batch_norm=True, activation="relu",
    use_bias=None, name=None,
):  # fmt: skip
    """Convolution, then batch normalization, then activation; `None` leaves the activation out.

    Pads with the same number of zeros on all sides, as the papers' code does; a strided "same"
    convolution of Keras pads only the end of an even side. There is a bias unless normalization,
    which would take it out again, follows; `use_bias` overrides that.
    """
    use_bias = not batch_norm if use_bias is None else use_bias
    padding = "same"
    if strides > 1 and kernel_size > 1:
        x = layers.ZeroPadding2D(dilation_rate * (kernel_size - 1) // 2)(x)
        padding = "valid"
    elif strides > 1:  # the same pixels, picked first: TensorFlow 2.21 crashes on some CPUs in that gradient
        x, strides = layers.MaxPooling2D(1, strides)(x), 1
    x = layers.Conv2D(
        filters, kernel_size, strides, padding, dilation_rate=dilation_rate, use_bias=use_bias,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    return norm_act(x, batch_norm, activation, name)


def separable_conv(x, filters, strides=1, dilation_rate=1, *, activation="relu", name=None):
    """A 3×3 filter for each channel, then a 1×1 convolution over channels, each normalized."""
    prefix = name and f"{name}_"
    x = depthwise_conv(x, strides, dilation_rate, activation=activation, name=name and f"{prefix}depthwise")
    return conv(x, filters, 1, activation=activation, name=name and f"{prefix}pointwise")


def depthwise_conv(x, strides=1, dilation_rate=1, *, activation="relu", name=None):
    """A 3×3 filter for each channel by itself, normalized."""
    padding = "same"
    if strides > 1:
        x = layers.ZeroPadding2D(dilation_rate)(x)
        padding = "valid"
    x = layers.DepthwiseConv2D(
        3, strides, padding, dilation_rate=dilation_rate, use_bias=False,
        depthwise_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    return norm_act(x, True, activation, name)


def norm_act(x, batch_norm=True, activation="relu", name=None):
    """Batch normalization and activation, each where it is asked for."""
    if batch_norm:
        x = BatchNormalization(name=name and f"{name}_norm")(x)
    if activation:
        x = layers.Activation(activation, name=name and f"{name}_{activation}")(x)
    return x


def max_pool(x, pool_size=2, strides=2, name=None):
    """Max-pooling; an odd window is centred on its output (x must not be negative: zeros are padded)."""
    if pool_size % 2:
        x = layers.ZeroPadding2D(pool_size // 2)(x)
    return layers.MaxPooling2D(pool_size, strides, name=name)(x)


def check_at_least(input_shape, smallest, network):
    """Raise `ValueError` unless height and width are known and at least `smallest`."""
    height, width = input_shape[:2]
    if min(height or 0, width or 0) < smallest:
        raise ValueError(
            f"{network} needs a height and width of at least {smallest}, not {height}×{width}."
        )


def check_divisible(input_shape, factor, network):
    """Raise `ValueError` unless height and width (where known) are multiples of `factor`."""
    sides = input_shape[:2]
    if any(side is not None and side % factor for side in sides):
        fit = ["any" if n is None else str(max(factor, round(n / factor) * factor)) for n in sides]
        raise ValueError(
            f"{network} needs a height and width that {factor} divides, not {sides[0]}×{sides[1]}; "
            f"{'×'.join(fit)} would fit."
        )
