"""U-Net (Ronneberger, Fischer & Brox 2015, figure 1), also on another network's features."""

import keras
from keras import layers

from course_utils.layers.squeeze_excite import SqueezeExcite
from course_utils.models.blocks import check_divisible, max_pool, norm_act
from course_utils.models.resnet import resnet_features
from course_utils.models.vgg16 import vgg_block

ENCODERS = {"resnet18": 32, "resnet34": 32, "resnet50": 32, "vgg16": 16}    # and their coarsest stride


def unet(
    input_shape=(512, 512, 1), num_classes=2, *, filters=64, depth=4, padding="same", batch_norm=False,
    dropout=0.0, squeeze_excite=False, skips=True, encoder=None,
):  # fmt: skip
    """U-Net: a contracting path, an expanding path, and skip connections between them.

    Args:
        input_shape: (H, W, C). H and W are None or, padded, multiples of 2^depth (with an encoder: of
            its coarsest stride); with "valid" padding 12 · 2^depth - 4 + n · 2^depth, such as 572.
        num_classes: int, K.
        filters: int, filters at full resolution, doubled with every halving; of ResNet or VGG likewise.
        depth: int, how often the resolution is halved; an encoder decides that itself.
        padding: "same", or as in the paper "valid": each convolution takes a border of one pixel off,
            skips are cropped, and 572×572 gives 388×388.
        batch_norm: normalize after each 3×3 convolution (not in the paper).
        dropout: float, rate at the bottom of the U.
        squeeze_excite: weigh the channels at the bottom of the U.
        skips: False leaves the skip connections out.
        encoder: in place of the contracting path "resnet18", "resnet34", "resnet50", "vgg16", or a
            Keras model from pictures to a list of feature maps, fine to coarse, each half as high and
            wide as the one before.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: H or W does not fit, or there is no such padding or encoder.
    """
    check_arguments(input_shape, depth, padding, encoder)
    x = inputs = keras.Input(input_shape)
    if encoder is None:                                                # contracting path
        features = []
        for level in range(depth):
            x = double_conv(x, filters * 2**level, padding, batch_norm, name=f"down{level}")
            features.append(x)
            x = layers.MaxPooling2D(name=f"pool{level}")(x)                     # H/2, W/2
        x = double_conv(x, filters * 2**depth, padding, batch_norm, name="bottom")
    else:
        *features, x = encoder_features(inputs, encoder, filters, batch_norm)
    x = refine_bottom(x, squeeze_excite, dropout)
    for level in reversed(range(len(features))):                       # expanding path
        x = layers.Conv2DTranspose(filters * 2**level, 2, 2, name=f"up{level}")(x)     # 2H, 2W
        if skips and features[level] is not None:
            x = concatenate(features[level], x, padding, len(features) - level, name=f"skip{level}")
        x = double_conv(x, filters * 2**level, padding, batch_norm, name=f"expand{level}")
    return keras.Model(inputs, layers.Conv2D(num_classes, 1, name="logits")(x), name="unet")


def double_conv(x, filters, padding, batch_norm, *, name):
    """Two 3×3 convolutions, each followed by ReLU."""
    for part in "ab":
        x = layers.Conv2D(
            filters, 3, padding=padding, use_bias=not batch_norm, kernel_initializer="he_normal",
            name=f"{name}_{part}",
        )(x)  # fmt: skip
        x = norm_act(x, batch_norm, name=f"{name}_{part}")
    return x


def refine_bottom(x, squeeze_excite, dropout):
    """What may be added at the bottom of the U."""
    if squeeze_excite:
        x = SqueezeExcite(name="squeeze_excite")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return x


def concatenate(skip, x, padding, height, *, name):
    """A skip connection, `height` levels above the bottom of the U; without padding it is cropped.

    By then x lacks border(height) pixels on each side. On the level below, two convolutions on the way
    down and two on the way up take 4 of its larger pixels, so border(k) = 2 (border(k - 1) + 4), and
    border(1) = 4, as the bottom has two convolutions in all.
    """
    if padding == "valid":
        skip = layers.Cropping2D(6 * 2**height - 8, name=f"{name}_crop")(skip)   # 4, 16, 40, 88, …
    return layers.Concatenate(name=name)([skip, x])


def encoder_features(inputs, encoder, filters, batch_norm):
    """An encoder's feature maps by level: strides 1, 2, 4, …; None for a level that it does not have."""
    if encoder == "vgg16":
        x, features = inputs, []
        for block in range(5):
            x = max_pool(x, name=f"pool{block}") if block else x
            x = vgg_block(x, block, filters, batch_norm=batch_norm)
            features.append(x)
    elif encoder in ENCODERS:
        features = resnet_features(inputs, depth=int(encoder.removeprefix("resnet")), filters=filters)
    else:
        features = encoder(inputs)
    return [*[None] * missing_levels(inputs, features), *features]


def missing_levels(inputs, features):
    """How many levels lie above the finest feature map.

    Raises:
        ValueError: the feature maps do not halve from one to the next.
    """
    height = inputs.shape[1] or 512
    shape = (1, height, inputs.shape[2] or 512, inputs.shape[3])
    heights = [s[1] for s in keras.Model(inputs, features).compute_output_shape(shape)]
    above = (height // heights[0]).bit_length() - 1
    if any(h * 2 ** (above + i) != height for i, h in enumerate(heights)):
        raise ValueError(
            f"the encoder makes feature maps of {', '.join(map(str, heights))} rows from a picture of "
            f"{height}; each must have half the rows of the one before, down from the picture's."
        )
    return above


def check_arguments(input_shape, depth, padding, encoder):
    """Raise `ValueError` unless sizes, padding and encoder go together."""
    if padding not in ("same", "valid"):
        raise ValueError(f'padding={padding!r}; unet has "same" and "valid".')
    if depth < 1:
        raise ValueError(f"depth={depth}; unet halves the resolution at least once.")
    if encoder is not None:
        check_encoder(input_shape, padding, encoder)
    elif padding == "same":
        check_divisible(input_shape, 2**depth, f"unet with depth={depth}")
    else:
        check_valid_size(input_shape, depth)


def check_encoder(input_shape, padding, encoder):
    """Raise `ValueError` unless the encoder exists, is padded and divides the picture."""
    if padding != "same":
        raise ValueError('unet takes an encoder with padding="same" only: encoders pad their convolutions.')
    if isinstance(encoder, keras.Model):
        if not isinstance(encoder.output, (list, tuple)):
            raise ValueError("unet takes an encoder with a list of feature maps as output, not a single one.")
    elif encoder not in ENCODERS:
        raise ValueError(f"encoder={encoder!r}; unet has {', '.join(ENCODERS)}, or takes a Keras model.")
    else:
        check_divisible(input_shape, ENCODERS[encoder], f"unet with encoder={encoder!r}")


def check_valid_size(input_shape, depth):
    """Raise `ValueError` unless each level of the unpadded U has an even height and width."""
    step, smallest = 2**depth, 12 * 2**depth - 4                       # smallest: 4×4 at the top's end
    sides = input_shape[:2]
    if any(n is not None and (n < smallest or (n - smallest) % step) for n in sides):
        fit = ["any" if n is None else smallest + max(0, round((n - smallest) / step)) * step for n in sides]
        raise ValueError(
            f"unet with depth={depth} and valid padding needs a height and width of {smallest} + a multiple "
            f"of {step}, not {sides[0]}×{sides[1]}; {fit[0]}×{fit[1]} would fit."
        )
