"""ResNet (He, Zhang, Ren & Sun 2016, table 1), and its plain twin without shortcuts."""

import keras
from keras import layers

from course_utils.models.blocks import conv, max_pool

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
DEPTHS = {f"resnet{depth}": depth for depth in BLOCKS}    # by the name that an encoder goes by


def resnet(input_shape=(224, 224, 3), num_classes=1000, *, depth=50, filters=64, shortcuts=True):
    """ResNet-18, 34, 50, 101 or 152.

    The stride of a stage is in its first 3×3 convolution, where torchvision and most of those that
    came later have it (the paper does not say); with it in the 1×1 before, three quarters of that
    one's input would never be looked at.

    Args:
        input_shape: (H, W, C).
        num_classes: int, K.
        depth: int, layers with weights.
        filters: int, filters of the first stage.
        shortcuts: False gives the paper's plain network.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, K).

    Raises:
        ValueError: there is no such depth.
    """
    inputs = keras.Input(input_shape)
    x = resnet_features(inputs, depth=depth, filters=filters, shortcuts=shortcuts)[-1]
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, x, name=f"{'resnet' if shortcuts else 'plain'}{depth}")


def resnet_features(
    x, *, depth=50, filters=64, output_stride=32, multi_grid=None, shortcuts=True
):  # fmt: skip
    """The outputs of conv1 and of the four stages, a list of five tensors, strides 2, 4, 8, 16, 32.

    Args:
        x: pictures (B, H, W, C).
        depth, filters, shortcuts: as for `resnet`.
        output_stride: 8, 16 or 32, where the strides stop; what comes after is dilated instead, so
            that the same weights give the same numbers, at more places (Chen et al. 2017, section 3.1).
        multi_grid: dilations of the last stage's blocks in multiples of the stage's own, or None
            (section 3.2.1).
    """
    if depth not in BLOCKS:
        raise ValueError(f"resnet has depth {', '.join(map(str, BLOCKS))}, not {depth}.")
    if output_stride not in (8, 16, 32):
        raise ValueError(f"output_stride={output_stride}; ResNet can stop at 8, 16 or 32.")
    features = [conv(x, filters, 7, strides=2, name="conv1")]         # H/2, W/2
    x = max_pool(features[0], 3, name="pool1")                        # H/4, W/4
    rate = 1
    for stage, count in enumerate(BLOCKS[depth]):
        before, rate = rate, max(1, 2 ** (stage + 2) // output_stride)
        stride = 2 if stage > 0 and rate == before == 1 else 1
        for block in range(count):
            # The filter that would have had the stride saw the map as it was before.
            rates = (before if block == 0 else rate, rate)
            if multi_grid and stage == 3:
                rates = 2 * (rate * multi_grid[block % len(multi_grid)],)
            x = residual_block(
                x, filters * 2**stage, stride if block == 0 else 1, rates, bottleneck=depth >= 50,
                shortcut=shortcuts, name=f"conv{stage + 2}_{block + 1}",
            )  # fmt: skip
        features.append(x)
    return features


def residual_block(x, filters, strides, rates, *, bottleneck, shortcut=True, name):
    """Figure 5 of the paper: two 3×3 convolutions, or 1×1, 3×3, 1×1; and the shortcut around them.

    The first 3×3 convolution has the stride and the first dilation, a second one the second.
    """
    inputs = x
    if bottleneck:
        x = conv(x, filters, 1, name=f"{name}_a")
        x = conv(x, filters, 3, strides, rates[0], name=f"{name}_b")  # H/strides, W/strides
        x = conv(x, 4 * filters, 1, activation=None, name=f"{name}_c")
    else:
        x = conv(x, filters, 3, strides, rates[0], name=f"{name}_a")
        x = conv(x, filters, 3, 1, rates[1], activation=None, name=f"{name}_b")
    if shortcut:
        if strides > 1 or inputs.shape[-1] != x.shape[-1]:            # a projection, where sizes change
            inputs = conv(inputs, x.shape[-1], 1, strides, activation=None, name=f"{name}_shortcut")
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return layers.Activation("relu", name=f"{name}_out")(x)
