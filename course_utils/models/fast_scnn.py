"""Fast-SCNN (Poudel, Liwicki & Cipolla 2019, table 1 and figure 1)."""

import keras
from keras import layers

from course_utils.layers.atrous import GridAveragePooling2D
from course_utils.layers.upsampling import ResizeLike
from course_utils.models.blocks import conv, depthwise_conv

# The global feature extractor: filters in multiples of the first stage's, blocks, stride of the first.
BOTTLENECKS = [(1, 3, 2), (1.5, 3, 2), (2, 3, 1)]


def fast_scnn(
    input_shape=(1024, 2048, 3), num_classes=19, *, filters=64, expansion=6, bins=(1, 2, 3, 6), dropout=0.1
):  # fmt: skip
    """Fast-SCNN: two streams share their first layers; one stays at stride 8, the other sees far.

    Args:
        input_shape: (H, W, C); H and W may be None.
        num_classes: int, K.
        filters: int, filters of the features that both streams share; a multiple of 4.
        expansion: int, by which the inverted residuals widen inside.
        bins: ints, cells in each direction of the pyramid's grids.
        dropout: float, before the last convolution.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: filters is no multiple of 4.
    """
    if filters % 4:
        fit = -(-filters // 4) * 4
        raise ValueError(f"fast_scnn needs a multiple of 4 filters, not {filters}; {fit} would fit.")
    inputs = keras.Input(input_shape)
    shared = learning_to_downsample(inputs, filters)                             # H/8, W/8
    x = global_features(shared, filters, expansion, bins)                        # H/32, W/32
    x = feature_fusion(shared, x, 2 * filters)                                   # H/8, W/8
    for name in ("classifier_1", "classifier_2"):
        x = ds_conv(x, 2 * filters, 1, name)
    x = layers.Dropout(dropout)(x)
    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    x = ResizeLike(name="upsample")([x, inputs])                                 # H, W
    return keras.Model(inputs, x, name="fast_scnn")


def learning_to_downsample(x, filters):
    """Three strided layers, to stride 8, whose work both streams use."""
    x = conv(x, filters // 2, strides=2, name="down_1")                          # H/2, W/2
    x = ds_conv(x, filters * 3 // 4, 2, "down_2")                                # H/4, W/4
    return ds_conv(x, filters, 2, "down_3")                                      # H/8, W/8


def ds_conv(x, filters, strides, name):
    """Depthwise separable convolution, without a nonlinearity in the middle (section 3.2.1)."""
    x = depthwise_conv(x, strides, activation=None, name=f"{name}_depthwise")
    return conv(x, filters, 1, name=f"{name}_pointwise")


def global_features(x, filters, expansion, bins):
    """Nine inverted residuals, to stride 32, and a pyramid of averages."""
    for stage, (width, count, strides) in enumerate(BOTTLENECKS, start=1):
        for i in range(count):
            x = inverted_residual(
                x, int(filters * width), strides if i == 0 else 1, expansion, f"bottleneck_{stage}_{i + 1}"
            )
    return pyramid_pooling(x, bins)


def inverted_residual(x, filters, strides, expansion, name):
    """MobileNetV2's block (table 2): widen, filter each channel, narrow without a nonlinearity."""
    inputs = x
    x = conv(x, expansion * x.shape[-1], 1, name=f"{name}_expand")
    x = depthwise_conv(x, strides, name=f"{name}_depthwise")
    x = conv(x, filters, 1, activation=None, name=f"{name}_project")
    if strides == 1 and inputs.shape[-1] == filters:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def pyramid_pooling(x, bins):
    """PSPNet's module: means over ever finer grids, set beside the features themselves."""
    channels, branches = x.shape[-1], [x]
    for size in bins:
        mean = GridAveragePooling2D(size, name=f"pool_{size}")(x)                # size, size
        mean = conv(mean, channels // len(bins), 1, name=f"pyramid_{size}")
        branches.append(ResizeLike(name=f"resize_{size}")([mean, x]))
    return conv(layers.Concatenate()(branches), channels, 1, name="pyramid")


def feature_fusion(high, low, filters):
    """Table 3: the far-sighted stream, enlarged fourfold, and the sharp one, added.

    The 1×1 convolutions keep their biases, as in the ports whose size is usually quoted.
    """
    low = ResizeLike(name="upsample_low")([low, high])                           # H/8, W/8
    low = depthwise_conv(low, dilation_rate=4, name="fusion_depthwise")          # reaches the next low pixel
    low = conv(low, filters, 1, activation=None, use_bias=True, name="fusion_low")
    high = conv(high, filters, 1, activation=None, use_bias=True, name="fusion_high")
    return layers.Activation("relu")(layers.Add(name="fusion")([high, low]))
