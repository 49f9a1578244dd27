"""SegFormer (Xie, Wang, Yu, Anandkumar, Alvarez & Luo 2021, figure 2)."""

import keras
import numpy as np
from keras import layers

from course_utils.layers.attention import EPSILON, CrossAttention2D
from course_utils.layers.upsampling import ResizeLike
from course_utils.models.blocks import conv

# The four stages' channels and blocks, and the decoder's channels.
VARIANTS = {
    "b0": ((32, 64, 160, 256), (2, 2, 2, 2), 256),
    "b1": ((64, 128, 320, 512), (2, 2, 2, 2), 256),
    "b2": ((64, 128, 320, 512), (3, 4, 6, 3), 768),
    "b3": ((64, 128, 320, 512), (3, 4, 18, 3), 768),
    "b4": ((64, 128, 320, 512), (3, 8, 27, 3), 768),
    "b5": ((64, 128, 320, 512), (3, 6, 40, 3), 768),
}


def segformer(
    input_shape=(512, 512, 3), num_classes=150, *, variant="b0", dims=None, depths=None,
    strides=(4, 2, 2, 2), heads=(1, 2, 5, 8), reductions=(8, 4, 2, 1), decoder_dim=None,
    drop_path=0.1, dropout=0.1,
):  # fmt: skip
    """SegFormer-B0 to B5: a hierarchical transformer, and a decoder of nothing but dense layers.

    Args:
        input_shape: (H, W, C); H and W at least 32 with the default strides and reductions, or None.
        num_classes: int, K.
        variant: "b0" to "b5".
        dims, depths: four int each, channels and blocks of the stages; None: the variant's.
        strides: four int, strides of the patches; a smaller first one keeps the details of small pictures.
        heads: four int, heads of the attention; each divides its stage's channels.
        reductions: four int, stride with which keys and values are taken.
        decoder_dim: int, channels of the decoder; None: the variant's.
        drop_path: probability that a picture skips the last block's branches; it grows from 0.
        dropout: rate before the last layer.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K), which are computed at H/4
        and upsampled.

    Raises:
        ValueError: there is no such variant, stages are not four, a number of heads does not divide
            its channels, or the picture is too small for the reductions.
    """
    if variant not in VARIANTS:
        raise ValueError(f"segformer comes as {', '.join(VARIANTS)}, not {variant!r}.")
    variant_dims, variant_depths, variant_decoder_dim = VARIANTS[variant]
    stages = {
        "dims": dims or variant_dims, "depths": depths or variant_depths, "strides": strides,
        "heads": heads, "reductions": reductions,
    }  # fmt: skip
    for name, values in stages.items():
        if len(values) != 4:
            raise ValueError(f"segformer has four stages: {name}={values} has {len(values)} values.")
    inputs = keras.Input(input_shape)
    features = mix_transformer(inputs, **stages, drop_path=drop_path)
    x = all_mlp_decoder(features, decoder_dim or variant_decoder_dim)         # H/4, W/4
    x = layers.Dropout(dropout)(x)
    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    x = ResizeLike(name="upsample")([x, inputs])                              # H, W
    return keras.Model(inputs, x, name=f"segformer_{variant}")


def mix_transformer(x, dims, depths, strides, heads, reductions, drop_path):
    """The encoder: outputs of the four stages, at H/4, H/8, H/16 and H/32."""
    rates = iter(np.linspace(0, drop_path, sum(depths)).tolist())
    features = []
    for stage in range(4):
        name = f"stage{stage + 1}"
        patch_size = 3 if stage else 7
        x = overlapping_patches(x, dims[stage], patch_size, strides[stage], name=f"{name}_patches")
        for block in range(depths[stage]):
            x = encoder_block(x, heads[stage], reductions[stage], next(rates), name=f"{name}_{block + 1}")
        x = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
        features.append(x)
    return features


def overlapping_patches(x, dim, patch_size, stride, *, name):
    """Patch merging (section 3.1): patches overlap, because they are wider than their stride."""
    x = layers.ZeroPadding2D(patch_size // 2)(x)
    x = layers.Conv2D(dim, patch_size, stride, name=name)(x)
    return layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)


def encoder_block(x, num_heads, reduction, drop_path, *, name):
    """Efficient self-attention, then Mix-FFN, each normalized before and with a shortcut around it."""
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm1")(x)
    y = CrossAttention2D(num_heads, reduction=reduction, name=f"{name}_attention")([y, y])
    x = layers.Add()([x, skip_sometimes(y, drop_path)])
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm2")(x)
    y = mix_ffn(y, name=f"{name}_ffn")
    return layers.Add()([x, skip_sometimes(y, drop_path)])


def mix_ffn(x, expansion=4, *, name):
    """Equation 3: a 3×3 convolution inside the MLP tells pixels where they are; there are no positions."""
    dim = x.shape[-1]
    x = layers.Dense(expansion * dim, name=f"{name}_expand")(x)               # h, w, 4·dim
    x = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_mix")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    return layers.Dense(dim, name=f"{name}_project")(x)                       # h, w, dim


def skip_sometimes(x, rate):
    """Stochastic depth (Huang et al. 2016): in training, zero for all of a picture at this rate."""
    return layers.Dropout(rate, noise_shape=(None, 1, 1, 1))(x) if rate else x


def all_mlp_decoder(features, dim):
    """Equation 4: all stages to `dim` channels and to the first's size, joined, mixed by one layer."""
    unified = [layers.Dense(dim, name=f"decode{i}")(x) for i, x in enumerate(features, start=1)]
    unified[1:] = [ResizeLike()([x, unified[0]]) for x in unified[1:]]        # each H/4, W/4, dim
    x = layers.Concatenate()(unified)                                         # H/4, W/4, 4·dim
    return conv(x, dim, 1, name="fuse")
