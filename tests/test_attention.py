"""Attention, its layers, and ViT, SegFormer and the attention autoencoder."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
from fill import fill, random
from keras import layers, ops

from course_utils.layers.attention import (
    CrossAttention2D,
    PatchEmbedding,
    TransformerEncoderBlock,
    attention_maps,
)
from course_utils.models.attention_autoencoder import attention_autoencoder
from course_utils.models.segformer import segformer, skip_sometimes
from course_utils.models.vit import vit

TINY_VIT = {"patch_size": 8, "dim": 16, "depth": 2, "num_heads": 4, "mlp_dim": 32}
TINY_SEGFORMER = {"dims": (8, 16, 20, 32), "depths": (1, 2, 1, 1), "decoder_dim": 24}
TINY_AUTOENCODER = {"filters": 4, "reductions": (4, 2), "num_heads": 2}


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def filled(layer, *shapes):
    """The layer, built for these shapes, with the weights of `fill`."""
    layer.build(list(shapes) if len(shapes) > 1 else shapes[0])
    return fill(layer)


def predict(model, pictures):
    return model.predict(pictures, verbose=0)


def golden(name):
    with np.load(Path(__file__).parent / "golden" / f"{name}.npz") as file:
        return file["arr_0"]


# Attention by hand: one sequence, no batch axis.


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(layer, x, context):
    """softmax(QKᵀ/√d) V for x (N, D) and context (M, C): the scores (heads, N, M) and the result (N, D)."""
    Wq, bq, Wk, bk, Wv, bv, Wo, bo = (numpy(weight) for weight in layer.weights)
    scores, result = [], bo
    for head in range(Wq.shape[1]):
        Q = x @ Wq[:, head] + bq[head]                                            # N, d
        K, V = (context @ W[:, head] + b[head] for W, b in ((Wk, bk), (Wv, bv)))  # M, d
        scores.append(softmax(Q @ K.T / math.sqrt(Q.shape[-1])))
        result = result + scores[-1] @ V @ Wo[head]
    return np.array(scores), result


def layer_norm(layer, x):
    gamma, beta = (numpy(weight) for weight in layer.weights)
    return gamma * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) + beta


def dense(layer, x):
    kernel, bias = (numpy(weight) for weight in layer.weights)
    return x @ kernel + bias


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def test_patches_are_cut_row_by_row_and_flattened():
    picture = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    layer = filled(PatchEmbedding(2, 4), picture.shape)
    layer.projection.set_weights([np.eye(4), np.zeros(4)])
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    np.testing.assert_array_equal(numpy(layer(picture))[0], expected)


def test_patch_embedding_is_a_convolution_whose_stride_is_its_kernel():
    pictures = random((2, 8, 12, 3), 1)
    layer = filled(PatchEmbedding(4, 5), pictures.shape)
    convolution = layers.Conv2D(5, 4, strides=4)
    convolution.build(pictures.shape)
    kernel, bias = (numpy(weight) for weight in layer.projection.weights)
    convolution.set_weights([kernel.reshape(4, 4, 3, 5), bias])
    expected = numpy(convolution(pictures)).reshape(2, 6, 5)
    np.testing.assert_allclose(numpy(layer(pictures)), expected, atol=1e-5)


def test_class_token_comes_first_and_every_place_has_its_position():
    pictures = random((2, 4, 8, 1), 1)
    plain = PatchEmbedding(4, 3)
    layer = filled(PatchEmbedding(4, 3, class_token=True, positions=True), pictures.shape)
    plain.build(pictures.shape)
    plain.set_weights([numpy(weight) for weight in layer.projection.weights])
    token, places = numpy(layer.token), numpy(layer.places)
    expected = np.concatenate([np.tile(token, (2, 1, 1)), numpy(plain(pictures))], 1) + places
    assert places.shape == (1, 3, 3)
    np.testing.assert_allclose(numpy(layer(pictures)), expected, atol=1e-6)


def test_encoder_block_by_hand():
    x = random((1, 5, 6), 1)
    block = filled(TransformerEncoderBlock(2, 7), x.shape)
    normal = layer_norm(block.norm1, x[0])
    scores, y = attention(block.attention, normal, normal)
    y = x[0] + y
    expected = y + dense(block.project, gelu(dense(block.hidden, layer_norm(block.norm2, y))))
    np.testing.assert_allclose(numpy(block(x))[0], expected, atol=1e-5)
    np.testing.assert_allclose(numpy(block.attention_scores(x))[0], scores, atol=1e-5)


def test_encoder_block_does_not_know_the_order_of_its_tokens():
    x, order = random((1, 5, 6), 1), [3, 0, 4, 1, 2]
    block = filled(TransformerEncoderBlock(3, 8), x.shape)
    np.testing.assert_allclose(numpy(block(x[:, order])), numpy(block(x))[:, order], atol=1e-5)


def test_encoder_block_drops_in_training_only():
    x = random((1, 5, 6), 1)
    block = filled(TransformerEncoderBlock(2, 7, dropout=0.5), x.shape)
    np.testing.assert_array_equal(numpy(block(x)), numpy(block(x, training=False)))
    assert np.abs(numpy(block(x, training=True)) - numpy(block(x))).max() > 0.01


def test_cross_attention_by_hand():
    x, context = random((1, 2, 3, 4), 1), random((1, 3, 2, 6), 2)
    layer = filled(CrossAttention2D(2), x.shape, context.shape)
    scores, y = attention(layer.attention, x.reshape(6, 4), context.reshape(6, 6))
    np.testing.assert_allclose(numpy(layer([x, context])), y.reshape(x.shape), atol=1e-5)
    maps = numpy(layer.attention_scores([x, context]))
    np.testing.assert_allclose(maps, scores.reshape(1, 2, 2, 3, 3, 2), atol=1e-5)


def test_cross_attention_takes_keys_from_a_strided_convolution():
    x, context = random((1, 2, 3, 4), 1), random((1, 4, 6, 2), 2)
    layer = filled(CrossAttention2D(2, reduction=2), x.shape, context.shape)
    kernel, bias = (numpy(weight) for weight in layer.reduce.weights)             # (2, 2, 2, 2)
    windows = context.reshape(2, 2, 3, 2, 2).transpose(0, 2, 1, 3, 4)             # h/2, w/2, 2, 2, C
    reduced = layer_norm(layer.norm, np.einsum("hwijc,ijcd->hwd", windows, kernel) + bias)
    _, y = attention(layer.attention, x.reshape(6, 4), reduced.reshape(6, 2))
    np.testing.assert_allclose(numpy(layer([x, context])), y.reshape(x.shape), atol=1e-5)
    assert numpy(layer.attention_scores([x, context])).shape == (1, 2, 2, 3, 2, 3)


def test_attention_survives_numbers_that_half_precision_cannot_hold():
    x = np.full((1, 4, 4, 8), 100, "float32") * np.sign(random((1, 4, 4, 8), 1))
    layer = filled(CrossAttention2D(1, dtype="mixed_float16"), x.shape, x.shape)
    assert keras.backend.standardize_dtype(layer([x, x]).dtype) == "float16"
    assert np.isfinite(numpy(layer([x, x]))).all()
    block = filled(TransformerEncoderBlock(1, 8, dtype="mixed_float16"), (1, 4, 8))
    assert np.isfinite(numpy(block(x[0]))).all()
    patches = PatchEmbedding(2, 8, class_token=True, positions=True, dtype="mixed_float16")
    assert keras.backend.standardize_dtype(patches(x).dtype) == "float16"


def test_layers_survive_save_and_load(tmp_path):
    pictures = keras.Input((8, 12, 3))
    x = PatchEmbedding(4, 6, class_token=True, positions=True)(pictures)
    tokens = TransformerEncoderBlock(2, 9, dropout=0.1)(x)
    grid = layers.Dense(4)(pictures)
    asked = CrossAttention2D(2, reduction=3)([grid, pictures])
    model = fill(keras.Model(pictures, [tokens, CrossAttention2D(1)([asked, grid])]))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    pictures = random((2, 8, 12, 3), 1)
    for output, expected in zip(predict(again, pictures), predict(model, pictures), strict=True):
        np.testing.assert_allclose(output, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: PatchEmbedding(16, 8).build((None, 225, 224, 3)), "16×16 patches .* 225×224; 224×224 would"),
        (lambda: vit((30, 32, 3), 2, **TINY_VIT), "30×32; 32×32 would fit"),
        (lambda: vit((None, 32, 3), 2, **TINY_VIT), "known height and width, not None×32"),
        (lambda: TransformerEncoderBlock(5, 8).build((None, 4, 12)), "5 heads cannot share 12 .*; 4 could"),
        (lambda: CrossAttention2D(4).build([(1, 8, 8, 6), (1, 8, 8, 3)]), "4 heads .* 6 channels.*; 3 "),
        (lambda: CrossAttention2D(1, reduction=8).build([(1, 8, 8, 2), (1, 8, 6, 2)]), "8×8, not 8×6"),
        (lambda: segformer(variant="b6"), "b0, b1, b2, b3, b4, b5, not 'b6'"),
        (lambda: segformer((16, 64, 3), **TINY_SEGFORMER), "at least 8×8, not 4×16"),
        (lambda: segformer((64, 64, 3), dims=(8, 16, 20)), "four stages: dims=.* has 3 values"),
        (lambda: attention_autoencoder((48, 60, 1)), "16 divides, not 48×60; 48×64 would fit"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_told_what_would_fit(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


def test_vit_equals_transformers():
    model = fill(vit((32, 24, 3), 7, **TINY_VIT), seed=1)
    np.testing.assert_allclose(predict(model, random((4, 32, 24, 3), 2)), golden("vit"), atol=1e-4)


def test_segformer_equals_transformers():
    model = fill(segformer((64, 96, 3), 5, **TINY_SEGFORMER), seed=1)
    logits = predict(model, random((2, 64, 96, 3), 2))
    assert logits.shape == (2, 64, 96, 5)
    np.testing.assert_allclose(logits[:, ::3, ::3], golden("segformer"), atol=1e-4)


def test_segformer_works_at_a_quarter_of_the_size_or_where_its_strides_say():
    for stride in (1, 4):
        model = segformer((64, 32, 3), 5, strides=(stride, 2, 2, 2), **TINY_SEGFORMER)
        assert model.get_layer("logits").output.shape == (None, 64 // stride, 32 // stride, 5)
        assert model.get_layer("stage4_norm").output.shape == (None, 8 // stride, 4 // stride, 32)


def test_drop_path_drops_whole_pictures_and_keeps_the_mean():
    x = keras.Input((2, 2, 3))
    model = keras.Model(x, skip_sometimes(x, 0.25))
    kept = numpy(model(np.ones((400, 2, 2, 3), "float32"), training=True)).reshape(400, 12)
    assert (kept == kept[:, :1]).all()
    np.testing.assert_allclose(np.unique(kept), [0, 4 / 3], atol=1e-6)
    assert 0.65 < (kept[:, 0] > 0).mean() < 0.85
    np.testing.assert_array_equal(numpy(model(np.ones((4, 2, 2, 3), "float32"))), 1)


def test_drop_path_grows_from_block_to_block():
    model = segformer((32, 32, 3), 5, drop_path=0.4, dropout=0, **TINY_SEGFORMER)
    rates = [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout) and layer.rate]
    np.testing.assert_allclose(rates, np.repeat([0.1, 0.2, 0.3, 0.4], 2))


@pytest.mark.parametrize(
    ("network", "options"),
    [(segformer, TINY_SEGFORMER), (attention_autoencoder, TINY_AUTOENCODER)],
)
def test_pictures_of_any_size(network, options):
    fixed, free = network((32, 64, 1), 3, **options), network((None, None, 1), 3, **options)
    free.set_weights(fill(fixed).get_weights())
    pictures = random((1, 32, 64, 1), 1)
    np.testing.assert_allclose(predict(free, pictures), predict(fixed, pictures), atol=1e-5)
    assert predict(free, random((1, 64, 64, 1), 1)).shape == (1, 64, 64, 3)


@pytest.mark.parametrize(
    ("network", "options", "layer", "shape"),
    [
        (vit, TINY_VIT, "block2", (2, 4, 13, 13)),
        (segformer, {**TINY_SEGFORMER, "reductions": (2, 1, 1, 1)}, "stage1_1_attention", (2, 1, 8, 6, 4, 3)),
        (attention_autoencoder, TINY_AUTOENCODER, "decoder1_attention", (2, 2, 32, 24, 8, 6)),
        (attention_autoencoder, TINY_AUTOENCODER, "self_attention", (2, 2, 8, 6, 8, 6)),
    ],
)
def test_attention_maps_sum_to_one(network, options, layer, shape):
    model = network((32, 24, 3), 5, **options)
    before = model.count_params()
    maps = attention_maps(model, layer, random((2, 32, 24, 3), 1))
    assert maps.shape == shape
    np.testing.assert_allclose(maps.sum((-2, -1) if maps.ndim == 6 else -1), 1, atol=1e-5)
    assert model.count_params() == before


def test_attention_autoencoder_relates_what_convolutions_cannot():
    """A change in one corner is felt in the other, 60 pixels away, though not without attention."""
    pictures = random((1, 64, 64, 1), 1)
    changed = pictures.copy()
    changed[:, :2, :2] += 5
    model = fill(attention_autoencoder((64, 64, 1), 3, **TINY_AUTOENCODER))
    difference = np.abs(predict(model, changed) - predict(model, pictures))
    assert difference[0, -1, -1].max() > 1e-5
    for layer in model.layers:
        if isinstance(layer, CrossAttention2D):
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    difference = np.abs(predict(model, changed) - predict(model, pictures))
    assert difference[0, -1, -1].max() == 0


def test_attention_autoencoder_enriches_by_addition_and_joins_the_skips():
    model = attention_autoencoder((32, 24, 1), 3, **TINY_AUTOENCODER)
    enriched = next(layer for layer in model.layers if isinstance(layer, layers.Add))
    x, found = enriched.input
    assert x.shape == found.shape == (None, 8, 6, 16)
    assert found is model.get_layer("self_attention").output
    kinds = [type(layer) for layer in model.layers]
    assert (kinds.count(layers.Add), kinds.count(layers.Concatenate)) == (3, 2)
    model = attention_autoencoder((32, 24, 1), 3, **TINY_AUTOENCODER, skips=False)
    assert layers.Concatenate not in [type(layer) for layer in model.layers]
