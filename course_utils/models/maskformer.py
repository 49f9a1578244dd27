"""MaskFormer (Cheng, Schwing & Kirillov 2021): a picture as a set of masks, each with its class."""

import math
from itertools import pairwise

import keras
from keras import layers, ops

from course_utils.layers.queries import AddSinePositions2D, Queries
from course_utils.layers.upsampling import ResizeLike
from course_utils.mask_set import MaskSet
from course_utils.models.blocks import check_divisible
from course_utils.models.resnet import resnet_features


def maskformer(
    input_shape=(512, 512, 3), num_classes=150, *, queries=100, decoder_layers=6, dim=256, num_heads=8,
    feed_forward=2048, dropout=0.1, depth=50, filters=64, encoder=None,
):  # fmt: skip
    """MaskFormer: N queries, of which each gives one mask and the class of what it covers.

    It is trained as any other network, with `losses.MaskSet` and integer masks for y; metrics see the
    logits (and the class ids, where y holds instance ids too). With any other loss it is trained on
    its logits alone, a classifier of pixels.

    Args:
        input_shape: (H, W, C); H and W multiples of 32, or as the encoder needs.
        num_classes: int, K.
        queries: int, N, how many masks a picture can get.
        decoder_layers: int, L, layers of the transformer decoder.
        dim: int, C, channels of pixel embeddings and queries, a multiple of 4 and of `num_heads`.
        num_heads: int, heads of each attention.
        feed_forward: int, hidden units after each attention.
        dropout: float, in the transformer decoder.
        depth, filters: of the ResNet that is the encoder, unless one is given.
        encoder: what to take for the ResNet: anything that, called on pictures, returns a list of feature
            maps from fine to coarse, each half as high and wide as the one before. Masks get the
            size of the finest, queries look at the coarsest.

    Returns:
        Model from pictures (B, H, W, C) in [0, 1] to a dict of
        "logits" (B, H, W, K): log of the class scores of section 3.4, Σ over queries of class probability
        times mask probability;
        "class_logits" (B, N, K + 1), the last class being "no object";
        "mask_logits" (B, N, h, w), h × w being H/4 × W/4 unless an encoder is given;
        "auxiliary_class_logits" (B, L - 1, N, K + 1) and "auxiliary_mask_logits" (B, L - 1, N, h, w):
        the same after the earlier layers, for the loss.

    Raises:
        ValueError: H or W does not fit, or the encoder's feature maps do not.
    """
    inputs = keras.Input(input_shape)
    if encoder is None:
        check_divisible(input_shape, 32, "maskformer")
        features = resnet_features(inputs, depth=depth, filters=filters)[1:]   # strides 4, 8, 16, 32
    else:
        features = encoder(inputs)
    check_pyramid(features)
    pixels = pixel_decoder(features, dim)                                      # B, h, w, C
    states = transformer_decoder(
        features[-1], queries, decoder_layers, dim, num_heads, feed_forward, dropout
    )                                                                          # B, L, N, C
    class_logits = layers.Dense(num_classes + 1, dtype="float32", name="class_head")(states)
    mask_logits = ops.einsum("blnc,bhwc->blnhw", mask_embedding(states, dim), pixels)
    outputs = {
        "logits": semantic_inference(class_logits[:, -1], mask_logits[:, -1], inputs),
        "class_logits": class_logits[:, -1],                                   # B, N, K + 1
        "mask_logits": mask_logits[:, -1],                                     # B, N, h, w
        "auxiliary_class_logits": class_logits[:, :-1],                        # B, L - 1, N, K + 1
        "auxiliary_mask_logits": mask_logits[:, :-1],                          # B, L - 1, N, h, w
    }
    return _SetPrediction(inputs, outputs, name="maskformer")


def pixel_decoder(features, dim):
    """A feature pyramid, from coarse to fine (section 4.1): one embedding for each pixel."""
    x = normalized_conv(features[-1], dim, 3, name=f"pixel_decoder{len(features)}")
    for level in reversed(range(1, len(features))):
        lateral = normalized_conv(features[level - 1], dim, 1, activation=None, name=f"lateral{level}")
        x = layers.Add()([layers.UpSampling2D()(x), lateral])                  # 2h, 2w
        x = normalized_conv(x, dim, 3, name=f"pixel_decoder{level}")
    return layers.Conv2D(dim, 3, padding="same", dtype="float32", name="pixel_embedding")(x)


def normalized_conv(x, filters, kernel_size, *, activation="relu", name):
    """Convolution, group normalization (which needs no large batch), activation."""
    x = layers.Conv2D(filters, kernel_size, padding="same", use_bias=False, name=name)(x)
    x = layers.GroupNormalization(math.gcd(32, filters), epsilon=1e-5, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


def transformer_decoder(x, count, depth, dim, num_heads, feed_forward, dropout):
    """DETR's decoder (Carion et al. 2020, figure 10): the queries after each layer, (B, L, N, C)."""
    x = layers.Conv2D(dim, 1, name="input_projection")(x)
    keys = layers.Reshape((-1, dim))(AddSinePositions2D(name="positions")(x))  # B, hw, C
    values = layers.Reshape((-1, dim))(x)
    queries = Queries(count, name="queries")(x)                                # B, N, C
    norm = layers.LayerNormalization(epsilon=1e-5, name="decoder_norm")
    state, states = ops.zeros_like(queries), []
    for i in range(depth):
        state = decoder_layer(
            state, queries, keys, values, num_heads, feed_forward, dropout, name=f"decoder{i + 1}"
        )
        states.append(norm(state))
    return ops.stack(states, axis=1)


def decoder_layer(x, queries, keys, values, num_heads, feed_forward, dropout, name):
    """Queries look at each other, then at the picture, then each thinks for itself."""
    dim = x.shape[-1]

    def attention(q, k, v, kind):
        layer = layers.MultiHeadAttention(num_heads, dim // num_heads, dropout=dropout, name=f"{name}_{kind}")
        # The fused kernel, which Keras takes where nobody asks for scores, has no float16 on JAX's CPU.
        return layer(q, v, key=k, return_attention_scores=True)[0]

    def add_norm(x, change, kind):
        x = layers.Add()([x, layers.Dropout(dropout)(change)])
        return layers.LayerNormalization(epsilon=1e-5, name=f"{name}_{kind}_norm")(x)

    # Each query's own vector is added wherever attention compares; what it has found so far is in x.
    q = layers.Add()([x, queries])
    x = add_norm(x, attention(q, q, x, "self_attention"), "self_attention")
    q = layers.Add()([x, queries])
    x = add_norm(x, attention(q, keys, values, "cross_attention"), "cross_attention")
    hidden = layers.Dropout(dropout)(layers.Dense(feed_forward, "relu", name=f"{name}_hidden")(x))
    return add_norm(x, layers.Dense(dim, name=f"{name}_out")(hidden), "feed_forward")


def mask_embedding(x, dim):
    """A multi-layer perceptron turns what a query knows into a filter on pixel embeddings."""
    for i in (1, 2):
        x = layers.Dense(dim, "relu", name=f"mask_embedding{i}")(x)
    return layers.Dense(dim, dtype="float32", name="mask_embedding3")(x)


def semantic_inference(class_logits, mask_logits, pictures):
    """Section 3.4: what all queries together say about each pixel, as logarithm, (B, H, W, K)."""
    masks = ops.transpose(mask_logits, (0, 2, 3, 1))                           # B, h, w, N
    masks = ops.sigmoid(ResizeLike(dtype="float32", name="full_size")([masks, pictures]))
    classes = ops.softmax(class_logits)[..., :-1]                              # "no object" has no say
    scores = ops.einsum("bhwn,bnk->bhwk", masks, classes)
    return ops.log(ops.maximum(scores, 1e-30))                                 # no log of 0


def check_pyramid(features):
    """Raise `ValueError` unless each feature map is half as high and wide as the one before."""
    for fine, coarse in pairwise(x.shape[1:3] for x in features):
        if any(a is not None and b is not None and a != 2 * b for a, b in zip(fine, coarse, strict=True)):
            raise ValueError(
                f"maskformer needs feature maps that halve from one to the next, not {fine[0]}×{fine[1]} "
                f"and then {coarse[0]}×{coarse[1]}; choose another input size or encoder."
            )


@keras.saving.register_keras_serializable(package="course_utils")
class _SetPrediction(keras.Model):
    """A functional model with MaskFormer's outputs, whose loss may see all of them."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if isinstance(self.loss, MaskSet):
            return self.loss(y, y_pred, sample_weight) + sum(map(ops.sum, self.losses))
        return super().compute_loss(x, y, y_pred["logits"], sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        ids = y[..., 0] if len(y.shape) == 4 else y
        return super().compute_metrics(x, ids, y_pred["logits"], sample_weight)
