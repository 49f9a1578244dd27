"""Attention: patches as tokens, the transformer's encoder block, attention between feature maps."""

import keras
from keras import layers, ops

EPSILON = 1e-6    # of layer normalization, as in the papers' code; Keras's own is 1e-3


@keras.saving.register_keras_serializable(package="course_utils")
class PatchEmbedding(layers.Layer):
    """Pictures to tokens (Dosovitskiy et al. 2021, equation 1): (B, H, W, C) to (B, N, dim).

    Cuts the picture into N = HW / patch_size² squares, row by row, flattens each to one vector and
    projects all of them with the same matrix.

    Args:
        patch_size: int, side of a square, in pixels.
        dim: int, length of a token.
        class_token: bool, put a learned token that belongs to no patch in front of the others.
        positions: bool, add a learned vector for each place.

    Raises:
        ValueError: patch_size does not divide H and W, or H and W are unknown where there are positions.
    """

    def __init__(self, patch_size, dim, *, class_token=False, positions=False, **kwargs):
        super().__init__(**kwargs)
        self.patch_size, self.dim = patch_size, dim
        self.class_token, self.positions = class_token, positions

    def build(self, shape):
        tokens = self.count_tokens(shape)
        self.projection = layers.Dense(self.dim, dtype=self.dtype_policy, name="projection")
        self.projection.build((None, None, self.patch_size**2 * shape[-1]))
        if self.class_token:
            self.token = self.add_weight((1, 1, self.dim), "zeros", name="class_token")
        if self.positions:
            normal = keras.initializers.RandomNormal(stddev=0.02)
            self.places = self.add_weight((1, tokens, self.dim), normal, name="positions")

    def count_tokens(self, shape):
        """Tokens of a picture of this shape (B, H, W, C), None where H or W is."""
        p, (height, width) = self.patch_size, shape[1:3]
        if any(side is not None and side % p for side in (height, width)):
            fit = "×".join("any" if n is None else str(max(p, round(n / p) * p)) for n in (height, width))
            raise ValueError(f"{p}×{p} patches do not tile a picture of {height}×{width}; {fit} would fit.")
        if height and width:
            return height // p * (width // p) + self.class_token
        if self.positions:
            raise ValueError(f"learned positions need a known height and width, not {height}×{width}.")
        return None

    def call(self, x):
        p, (batch, height, width, channels) = self.patch_size, ops.shape(x)
        rows, columns = height // p, width // p
        x = ops.reshape(x, (-1, rows, p, columns, p, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))                       # B, H/p, W/p, p, p, C
        x = ops.reshape(x, (-1, rows * columns, p * p * channels))     # B, N, p²C: flattened
        x = self.projection(x)                                         # B, N, dim
        if self.class_token:
            token = ops.cast(self.token, x.dtype)
            x = ops.concatenate([ops.broadcast_to(token, (batch, 1, self.dim)), x], axis=1)
        return x + ops.cast(self.places, x.dtype) if self.positions else x

    def compute_output_shape(self, shape):
        return (shape[0], self.count_tokens(shape), self.dim)

    def get_config(self):
        sizes = {"patch_size": self.patch_size, "dim": self.dim}
        return {**super().get_config(), **sizes, "class_token": self.class_token, "positions": self.positions}


@keras.saving.register_keras_serializable(package="course_utils")
class TransformerEncoderBlock(layers.Layer):
    """Self-attention, then an MLP, each after a layer normalization and with a shortcut around it.

    Takes and returns (B, N, dim). The order is that of Dosovitskiy et al. 2021, figure 1 and equations
    2 and 3.

    Args:
        num_heads: int; divides dim.
        mlp_dim: int, hidden units of the MLP.
        dropout: rate after the attention and after both layers of the MLP.

    Raises:
        ValueError: num_heads does not divide dim.
    """

    def __init__(self, num_heads, mlp_dim, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.mlp_dim, self.dropout = num_heads, mlp_dim, dropout

    def build(self, shape):
        dim, policy = shape[-1], self.dtype_policy
        self.attention = multi_head_attention(dim, self.num_heads)
        self.attention.build(shape, shape)
        self.norm1 = layers.LayerNormalization(epsilon=EPSILON, dtype=policy, name="norm1")
        self.norm2 = layers.LayerNormalization(epsilon=EPSILON, dtype=policy, name="norm2")
        self.hidden = layers.Dense(self.mlp_dim, "gelu", dtype=policy, name="hidden")
        self.project = layers.Dense(dim, dtype=policy, name="project")
        self.drop = layers.Dropout(self.dropout, dtype=policy, name="drop")
        for layer in (self.norm1, self.norm2, self.hidden, self.drop):
            layer.build(shape)
        self.project.build((*shape[:-1], self.mlp_dim))

    def call(self, x, training=None):
        y = self.norm1(x)
        x = x + ops.cast(self.drop(self.attention(y, y), training=training), x.dtype)
        y = self.hidden(self.norm2(x))                                 # B, N, mlp_dim
        y = self.project(self.drop(y, training=training))              # B, N, dim
        return x + self.drop(y, training=training)

    def attention_scores(self, x):
        """How much of each token (last axis) every token takes: (B, num_heads, N, N), rows sum to 1."""
        y = self.norm1(x)
        return self.attention(y, y, return_attention_scores=True)[1]

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        sizes = {"num_heads": self.num_heads, "mlp_dim": self.mlp_dim, "dropout": self.dropout}
        return {**super().get_config(), **sizes}


@keras.saving.register_keras_serializable(package="course_utils")
class CrossAttention2D(layers.Layer):
    """Every pixel of one feature map looks at all pixels of another.

    Takes `[x, context]`, x (B, H, W, D) and context (B, h, w, C); returns (B, H, W, D). Queries are the
    pixels of x. Keys and values come from context, after a convolution with stride `reduction` and a
    layer normalization, which makes them fewer: the matrix of scores is then reduction² times smaller.
    With `[x, x]` it is SegFormer's efficient self-attention (Xie et al. 2021, section 3.1). Neither x nor
    context is normalized here, and what was found is not added to x: that is for the network to do.

    Args:
        num_heads: int; divides D.
        reduction: int, stride and kernel size of the convolution; 1 leaves it out.

    Raises:
        ValueError: num_heads does not divide D, or context is smaller than the convolution's kernel.
    """

    def __init__(self, num_heads, *, reduction=1, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.reduction = num_heads, reduction

    def build(self, shapes):
        (*_, dim), (_, height, width, channels) = shapes
        r, policy = self.reduction, self.dtype_policy
        if any(side is not None and side < r for side in (height, width)):
            raise ValueError(f"reduction={r} takes its keys from at least {r}×{r}, not {height}×{width}.")
        if r > 1:
            self.reduce = layers.Conv2D(channels, r, strides=r, dtype=policy, name="reduce")
            self.reduce.build(shapes[1])
            self.norm = layers.LayerNormalization(epsilon=EPSILON, dtype=policy, name="norm")
            self.norm.build(shapes[1])
        self.attention = multi_head_attention(dim, self.num_heads)
        self.attention.build((None, None, dim), (None, None, channels))

    def call(self, inputs):
        x, context = inputs
        y = self.attention(flatten(x), flatten(self.downsample(context)))     # B, HW, D
        return ops.cast(ops.reshape(y, ops.shape(x)), x.dtype)                # B, H, W, D: unflattened

    def downsample(self, context):
        return self.norm(self.reduce(context)) if self.reduction > 1 else context

    def attention_scores(self, inputs):
        """Where every pixel looks: (B, num_heads, H, W, h / reduction, w / reduction), maps that sum to 1."""
        x, context = inputs[0], self.downsample(inputs[1])
        _, scores = self.attention(flatten(x), flatten(context), return_attention_scores=True)
        return ops.reshape(scores, (-1, self.num_heads, *ops.shape(x)[1:3], *ops.shape(context)[1:3]))

    def compute_output_shape(self, shapes):
        return tuple(shapes[0])

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads, "reduction": self.reduction}


def multi_head_attention(dim, num_heads):
    """Keras's attention for tokens of length `dim`, cut into `num_heads` parts.

    Always in float32: in half precision one product QKᵀ above 65,504 turns the softmax into NaN.
    """
    if dim % num_heads:
        fit = max(n for n in range(1, num_heads) if dim % n == 0)
        raise ValueError(f"{num_heads} heads cannot share {dim} channels evenly; {fit} could.")
    return layers.MultiHeadAttention(num_heads, dim // num_heads, dtype="float32", name="attention")


def flatten(x):
    """A feature map as tokens: (B, H, W, C) to (B, HW, C)."""
    _, height, width, channels = ops.shape(x)
    return ops.reshape(x, (-1, height * width, channels))


def attention_maps(model, layer, pictures):
    """What one attention layer of a model does with these pictures, for plotting.

    Args:
        model: functional `keras.Model`.
        layer: str, name of a `TransformerEncoderBlock` or `CrossAttention2D` in it.
        pictures: float32 (B, H, W, C) in [0, 1].

    Returns:
        NumPy array, as the layer's `attention_scores` describes it.
    """
    layer = model.get_layer(layer)
    inputs = keras.Model(model.inputs, layer.input).predict(pictures, verbose=0)
    scores = layer.attention_scores(keras.tree.map_structure(ops.convert_to_tensor, inputs))
    return ops.convert_to_numpy(scores)
