"""DeepLab v3 (Chen, Papandreou, Schroff & Adam 2017, "Rethinking atrous convolution")."""

import keras
from keras import layers

from course_utils.layers.atrous import AtrousSpatialPyramidPooling
from course_utils.layers.upsampling import ResizeLike
from course_utils.models.blocks import conv
from course_utils.models.resnet import resnet_features


def deeplab_v3(
    input_shape=(513, 513, 3), num_classes=21, *, depth=50, output_stride=16, multi_grid=(1, 2, 4),
    rates=(6, 12, 18), filters=64, aspp_filters=256, dropout=0.1,
):  # fmt: skip
    """DeepLab v3: an atrous ResNet, then a pyramid that also sees the whole picture.

    Args:
        input_shape: (H, W, C); H and W may be None.
        num_classes: int, K.
        depth: int, layers of the ResNet.
        output_stride: 8 or 16 (or 32), where its strides stop.
        multi_grid: dilation of its last stage's blocks, in multiples of the stage's own.
        rates: ints, dilation of the pyramid's branches at output stride 16; at 8 they double.
        filters: int, filters of the ResNet's first stage.
        aspp_filters: int, filters of the pyramid.
        dropout: float, after the pyramid.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: there is no such depth or output stride.
    """
    inputs = keras.Input(input_shape)
    x = resnet_features(
        inputs, depth=depth, filters=filters, output_stride=output_stride, multi_grid=multi_grid
    )[-1]                                                             # H/16, W/16
    rates = [rate * 16 // output_stride for rate in rates]
    x = AtrousSpatialPyramidPooling(aspp_filters, rates, dropout=dropout, name="aspp")(x)
    x = conv(x, aspp_filters, name="head")          # torchvision's; the paper goes straight to the logits
    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    x = ResizeLike(name="upsample")([x, inputs])                      # H, W
    return keras.Model(inputs, x, name="deeplab_v3")
