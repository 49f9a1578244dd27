"""DeepLab v2 (Chen, Papandreou, Kokkinos, Murphy & Yuille 2018, TPAMI): atrous spatial pyramid pooling."""

import keras
from keras import layers

from course_utils.layers.upsampling import ResizeLike
from course_utils.models.deeplab_v1 import large_fov, vgg_atrous
from course_utils.models.resnet import DEPTHS, resnet_features


def deeplab_v2(
    input_shape=(321, 321, 3), num_classes=21, *, encoder="vgg16", rates=(6, 12, 18, 24), filters=64,
    fc_filters=1024, dropout=0.5, batch_norm=False,
):  # fmt: skip
    """DeepLab v2: the pictures' scores are the sum of branches that look around at several rates.

    Args:
        input_shape: (H, W, C); H and W may be None.
        num_classes: int, K.
        encoder: "vgg16", the paper's DeepLab-ASPP-L, or "resnet101" (or another depth).
        rates: ints, dilation of each branch, in cells of 8 pixels.
        filters: int, filters of the encoder's first block or stage.
        fc_filters, dropout, batch_norm: as for `deeplab_v1`; for VGG only.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: there is no such encoder.
    """
    inputs = keras.Input(input_shape)
    if encoder == "vgg16":                                            # figure 7 (b)
        x = vgg_atrous(inputs, filters, batch_norm)                   # H/8, W/8
        branches = [large_fov(x, num_classes, rate, fc_filters, dropout, f"_{rate}") for rate in rates]
    elif encoder in DEPTHS:
        x = resnet_features(inputs, depth=DEPTHS[encoder], filters=filters, output_stride=8)[-1]
        branches = [atrous_scores(x, num_classes, rate) for rate in rates]
    else:
        raise ValueError(f"deeplab_v2 has the encoders vgg16, {', '.join(DEPTHS)}, not {encoder!r}.")
    x = layers.Add(name="logits")(branches)
    x = ResizeLike(name="upsample")([x, inputs])                      # H, W
    return keras.Model(inputs, x, name="deeplab_v2")


def atrous_scores(x, num_classes, rate):
    """A branch of the pyramid on ResNet: one 3×3 convolution straight to the classes."""
    return layers.Conv2D(num_classes, 3, padding="same", dilation_rate=rate, name=f"logits_{rate}")(x)
