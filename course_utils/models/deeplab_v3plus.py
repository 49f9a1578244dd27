"""DeepLab v3+ (Chen, Zhu, Papandreou, Schroff & Adam 2018): v3 as an encoder, and a decoder."""

import keras
from keras import layers

from course_utils.layers.atrous import AtrousSpatialPyramidPooling
from course_utils.layers.upsampling import ResizeLike
from course_utils.models.blocks import conv, depthwise_conv, norm_act, separable_conv
from course_utils.models.resnet import DEPTHS, resnet_features

# Xception's residual blocks (figure 4): filters of their three convolutions, and their stride.
ENTRY_FLOW = [((128, 128, 128), 2), ((256, 256, 256), 2), ((728, 728, 728), 2)]
MIDDLE_FLOW = 16 * [((728, 728, 728), 1)]
EXIT_FLOW = [((728, 1024, 1024), 2)]


def deeplab_v3plus(
    input_shape=(513, 513, 3), num_classes=21, *, encoder="resnet50", output_stride=16, rates=(6, 12, 18),
    filters=64, aspp_filters=256, low_level_filters=48, dropout=0.1,
):  # fmt: skip
    """DeepLab v3+: the pyramid's output meets features of stride 4, which know where edges are.

    Args:
        input_shape: (H, W, C); H and W may be None.
        num_classes: int, K.
        encoder: "resnet50" (or another depth), or "xception".
        output_stride: 8 or 16 (or 32), where the encoder's strides stop.
        rates: ints, dilation of the pyramid's branches at output stride 16; at 8 they double.
        filters: int, filters of the encoder's first stage.
        aspp_filters: int, filters of the pyramid and of the decoder.
        low_level_filters: int, to which the features of stride 4 are reduced.
        dropout: float, after the pyramid.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: there is no such encoder or output stride.
    """
    inputs = keras.Input(input_shape)
    low, x = encoder_features(inputs, encoder, filters, output_stride)           # H/4, W/4; H/16, W/16
    rates = [rate * 16 // output_stride for rate in rates]
    x = AtrousSpatialPyramidPooling(aspp_filters, rates, separable=True, dropout=dropout, name="aspp")(x)
    x = ResizeLike(name="upsample_1")([x, low])                                  # H/4, W/4
    low = conv(low, low_level_filters, 1, name="low_level")
    x = layers.Concatenate()([x, low])
    for i in (1, 2):                                                             # the decoder
        x = layers.SeparableConv2D(
            aspp_filters, 3, padding="same", use_bias=False, name=f"decoder_{i}",
        )(x)  # fmt: skip
        x = norm_act(x, name=f"decoder_{i}")
    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    x = ResizeLike(name="upsample_2")([x, inputs])                               # H, W
    return keras.Model(inputs, x, name="deeplab_v3plus")


def encoder_features(x, encoder, filters, output_stride):
    """The features of stride 4 and the last ones of an encoder."""
    if encoder == "xception":
        return xception_features(x, filters, output_stride)
    if encoder not in DEPTHS:
        raise ValueError(f"deeplab_v3plus has the encoders xception, {', '.join(DEPTHS)}, not {encoder!r}.")
    features = resnet_features(
        x, depth=DEPTHS[encoder], filters=filters, output_stride=output_stride, multi_grid=(1, 2, 4)
    )
    return features[1], features[-1]


def xception_features(x, filters=64, output_stride=16):
    """The modified Xception of figure 4: deeper, and strided convolutions instead of max-pooling.

    Args:
        x: pictures (B, H, W, C).
        filters: int, filters of the second convolution; all others keep their proportion to it.
        output_stride: 8, 16 or 32, where the strides stop; what follows is dilated instead.

    Returns:
        Features of stride 4, after the first block, and features of the output stride.
    """
    if output_stride not in (8, 16, 32):
        raise ValueError(f"output_stride={output_stride}; Xception can stop at 8, 16 or 32.")
    x = conv(x, filters // 2, strides=2, name="conv1_1")              # H/2, W/2
    x = conv(x, filters, name="conv1_2")
    features, stride = [], 2
    for i, (widths, strides) in enumerate(ENTRY_FLOW + MIDDLE_FLOW + EXIT_FLOW):
        widths = [filters * width // 64 for width in widths]
        dilation = max(1, stride // output_stride)
        x = xception_block(x, widths, strides if stride < output_stride else 1, dilation, f"block{i + 1}")
        features.append(x)
        stride *= strides
    for i, width in enumerate((1536, 1536, 2048)):
        x = separable_conv(
            x, filters * width // 64, dilation_rate=max(1, stride // output_stride), name=f"exit_{i + 1}"
        )
    return features[0], x


def xception_block(x, widths, strides, dilation_rate, name):
    """ReLU and separable convolution, three times, the last one strided; and a shortcut around them."""
    inputs = x
    for i, width in enumerate(widths):
        last = i == len(widths) - 1
        x = layers.Activation("relu")(x)
        x = depthwise_conv(x, strides if last else 1, dilation_rate, name=f"{name}_{i + 1}_depthwise")
        x = conv(x, width, 1, activation=None, name=f"{name}_{i + 1}_pointwise")
    if strides > 1 or inputs.shape[-1] != x.shape[-1]:                # a projection, where sizes change
        inputs = conv(inputs, x.shape[-1], 1, strides, activation=None, name=f"{name}_shortcut")
    return layers.Add(name=f"{name}_add")([x, inputs])
