"""The course's attention autoencoder: a U-Net that looks at all of the picture, at every level."""

import keras
from keras import layers

from course_utils.layers.attention import EPSILON, CrossAttention2D
from course_utils.models.blocks import check_divisible, conv, max_pool


def attention_autoencoder(
    input_shape=(64, 64, 1), num_classes=11, *, filters=8, reductions=(8, 4, 2, 1), num_heads=2, skips=True
):  # fmt: skip
    """Encoder, a bottleneck with self-attention, and a decoder that asks the encoder by cross-attention.

    Args:
        input_shape: (H, W, C); H and W multiples of 2 to the number of levels, or None.
        num_classes: int, K.
        filters: int, filters of the first level; each further level has twice as many.
        reductions: int for each level from the finest on, the stride with which its keys and values
            are taken; 1 takes every pixel.
        num_heads: int, heads of the attention; divides filters.
        skips: also hand the decoder the encoder's feature maps, as U-Net does; False leaves it with
            what attention brings.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, H, W, K).

    Raises:
        ValueError: H or W does not fit the levels, num_heads does not divide filters, or a level is
            smaller than its reduction.
    """
    depth, features = len(reductions), []
    check_divisible(input_shape, 2**depth, "attention_autoencoder")
    x = inputs = keras.Input(input_shape)
    for level in range(depth):
        x = conv_block(x, filters * 2**level, name=f"encoder{level + 1}")
        features.append(x)
        x = max_pool(x)                                                           # H/2, W/2
    x = conv_block(x, filters * 2**depth, name="bottleneck")
    x = attention_block(x, x, num_heads, name="self_attention")
    for level in reversed(range(depth)):
        name = f"decoder{level + 1}"
        x = layers.Conv2DTranspose(filters * 2**level, 2, 2, name=f"{name}_up")(x)    # 2H, 2W
        x = attention_block(x, features[level], num_heads, reductions[level], name=f"{name}_attention")
        if skips:
            x = layers.Concatenate()([x, features[level]])
        x = conv_block(x, filters * 2**level, name=name)
    return keras.Model(inputs, layers.Conv2D(num_classes, 1, name="logits")(x), name="attention_autoencoder")


def conv_block(x, filters, *, name):
    """Two 3×3 convolutions."""
    x = conv(x, filters, name=f"{name}_a")
    return conv(x, filters, name=f"{name}_b")


def attention_block(x, context, num_heads, reduction=1, *, name):
    """Every pixel of x, enriched by what it finds among the pixels of context."""
    query = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm_query")(x)
    context = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm_context")(context)
    found = CrossAttention2D(num_heads, reduction=reduction, name=name)([query, context])
    return layers.Add()([x, found])
