"""The vision transformer (Dosovitskiy et al. 2021, figure 1)."""

import keras
from keras import layers

from course_utils.layers.attention import EPSILON, PatchEmbedding, TransformerEncoderBlock


def vit(
    input_shape=(224, 224, 3), num_classes=1000, *, patch_size=16, dim=768, depth=12, num_heads=12,
    mlp_dim=3072, dropout=0.0,
):  # fmt: skip
    """ViT; the defaults are ViT-B/16, with the single linear layer on top that the paper fine-tunes.

    Args:
        input_shape: (H, W, C); H and W multiples of patch_size.
        num_classes: int, K.
        patch_size: int, side of a patch in pixels.
        dim: int, length of a token; a multiple of num_heads.
        depth: int, encoder blocks.
        num_heads: int, heads of each block's attention.
        mlp_dim: int, hidden units of each block's MLP.
        dropout: rate after the positions, each attention and each dense layer (the paper: 0.1 when
            training on ImageNet from scratch, 0 when fine-tuning).

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to logits (B, K).

    Raises:
        ValueError: patches do not tile the picture, or num_heads does not divide dim.
    """
    inputs = keras.Input(input_shape)
    x = PatchEmbedding(patch_size, dim, class_token=True, positions=True, name="patches")(inputs)
    x = layers.Dropout(dropout)(x)                                     # B, 1 + HW/patch_size², dim
    for block in range(depth):
        x = TransformerEncoderBlock(num_heads, mlp_dim, dropout, name=f"block{block + 1}")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name="norm")(x)
    x = layers.Dense(num_classes, name="logits")(x[:, 0])              # the class token's, alone
    return keras.Model(inputs, x, name="vit")
