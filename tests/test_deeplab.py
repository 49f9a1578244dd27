"""DeepLab v1 to v3+, Fast-SCNN, their pyramids, and the atrous ResNet they stand on."""

import importlib
from pathlib import Path

import keras
import numpy as np
import pytest
from fill import fill, random
from keras import layers

from course_utils.layers.atrous import AtrousSpatialPyramidPooling, GridAveragePooling2D
from course_utils.models.deeplab_v1 import deeplab_v1
from course_utils.models.deeplab_v2 import deeplab_v2
from course_utils.models.deeplab_v3 import deeplab_v3
from course_utils.models.deeplab_v3plus import deeplab_v3plus, xception_features
from course_utils.models.fast_scnn import fast_scnn
from course_utils.models.resnet import resnet, resnet_features

GOLDEN = Path(__file__).parent / "golden"
ASPP = {"filters": 4, "aspp_filters": 8, "rates": (1, 2, 3)}
SMALL = {
    deeplab_v1: {"filters": 4, "fc_filters": 8},
    deeplab_v2: {"encoder": "resnet18", "filters": 4},
    deeplab_v3: {"depth": 18, **ASPP},
    deeplab_v3plus: {"encoder": "resnet18", **ASPP},
    fast_scnn: {"filters": 8, "expansion": 2},
}


def golden(name):
    return np.load(GOLDEN / f"{name}.npz")["arr_0"]


def names(networks):
    return {"ids": [network.__name__ for network in networks]}


# The pyramids

def atrous(x, kernel, rate):
    """y[i] = Σ x[i + r·k] w[k] on one picture (H, W, C), with zeros around it."""
    height, width, _ = x.shape
    padded = np.pad(x, [(rate, rate), (rate, rate), (0, 0)])
    shifts = [(r, c) for r in range(3) for c in range(3)]
    return sum(
        padded[r * rate : r * rate + height, c * rate : c * rate + width] @ kernel[r, c] for r, c in shifts
    )


def norm_relu(x, norm):
    gamma, beta, mean, variance = norm.get_weights()
    return np.maximum((x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, 0)


def separable_as_full(depthwise, pointwise):
    """The one 3×3 kernel that a filter for each channel and a mix of the channels amount to."""
    return depthwise * pointwise[0, 0][None, None]


@pytest.mark.parametrize("separable", [False, True])
def test_atrous_pyramid_by_hand(separable):
    layer = AtrousSpatialPyramidPooling(2, (1, 2), separable)
    layer.build((None, 6, 5, 3))
    fill(layer, seed=1)
    x = random((6, 5, 3), seed=2)
    branches = []
    for branch, rate in zip(layer.atrous, (1, 2), strict=True):
        weights = branch.layers[0].get_weights()
        kernel = separable_as_full(*weights) if separable else weights[0]
        branches.append(norm_relu(atrous(x, kernel, rate), branch.layers[1]))

    def pointwise(branch, x):
        return norm_relu(x @ branch.layers[0].get_weights()[0][0, 0], branch.layers[1])

    image = np.broadcast_to(pointwise(layer.image, x.mean((0, 1))), (6, 5, 2))
    joined = np.concatenate([pointwise(layer.pointwise, x), *branches, image], -1)
    result = keras.ops.convert_to_numpy(layer(x[None], training=False))
    np.testing.assert_allclose(result[0], pointwise(layer.projection, joined), atol=1e-5)


def test_image_pooling_is_what_sees_the_whole_picture():
    near = random((1, 9, 9, 2), seed=0)
    far = near.copy()
    far[0, 8, 8] += 5                          # eight pixels away: beyond rate 2 of the corner
    for image_pooling in (False, True):
        layer = AtrousSpatialPyramidPooling(3, (2,), image_pooling=image_pooling)
        layer.build(near.shape)
        fill(layer, seed=1)
        a, b = (keras.ops.convert_to_numpy(layer(x, training=False))[0, 0, 0] for x in (near, far))
        assert (np.abs(a - b).max() > 1e-3) == image_pooling


def test_dropout_of_the_pyramid_is_for_training_only():
    layer = AtrousSpatialPyramidPooling(4, (1,), dropout=0.5)
    x = random((2, 16, 16, 3), seed=0)
    layer(x)
    layer.projection.layers[1].beta.assign(np.full(4, 10, "float32"))        # no zero from ReLU
    dropped = keras.ops.convert_to_numpy(layer(x, training=True)) == 0
    assert 0.4 < dropped.mean() < 0.6
    assert np.all(keras.ops.convert_to_numpy(layer(x, training=False)) > 0)


def test_grid_averages_by_hand():
    x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    quarters = keras.ops.convert_to_numpy(GridAveragePooling2D(2)(x))
    np.testing.assert_allclose(quarters[0, ..., 0], [[2.5, 4.5], [10.5, 12.5]])
    x = random((2, 5, 2, 3), seed=0)                  # rows 0–1, 1–3, 3–4; columns 0, 0–1, 1
    rows = np.stack([x[:, :2].mean(1), x[:, 1:4].mean(1), x[:, 3:].mean(1)], 1)
    expected = np.stack([rows[:, :, 0], rows.mean(2), rows[:, :, 1]], 2)
    cells = keras.ops.convert_to_numpy(GridAveragePooling2D(3)(x))
    np.testing.assert_allclose(cells, expected, atol=1e-6)


def test_pyramids_work_in_half_precision():
    x = 100 * random((1, 40, 40, 3), seed=0)
    for pyramid, size in ((GridAveragePooling2D, 3), (AtrousSpatialPyramidPooling, 4)):
        full, half = pyramid(size), pyramid(size, dtype="mixed_float16")
        expected = keras.ops.convert_to_numpy(full(x))
        result = half(x)
        assert keras.backend.standardize_dtype(result.dtype) == "float16"
        half.set_weights(full.get_weights())
        np.testing.assert_allclose(keras.ops.convert_to_numpy(half(x)), expected, atol=0.01 * expected.std())


def test_pyramids_survive_save_and_load(tmp_path):
    inputs = keras.Input((None, None, 3))
    pyramid = AtrousSpatialPyramidPooling(4, (2, 5), separable=True, image_pooling=False, dropout=0.3)
    model = fill(keras.Model(inputs, GridAveragePooling2D(3)(pyramid(inputs))))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[1].get_config() == pyramid.get_config()
    for shape in ((2, 8, 7, 3), (1, 3, 9, 3)):
        x = random(shape, seed=1)
        expected = model.predict(x, verbose=0)
        assert expected.shape == (shape[0], 3, 3, 4)
        np.testing.assert_allclose(again.predict(x, verbose=0), expected, atol=1e-6)


# Against other implementations

@pytest.mark.parametrize(
    ("name", "network", "classes", "sizes", "seeds"),
    [
        ("resnet50", resnet, 7, {"depth": 50, "filters": 4}, (1, 2)),
        ("deeplab_v3", deeplab_v3, 5, {"output_stride": 8, **ASPP}, (4, 3)),
        ("deeplab_v3plus", deeplab_v3plus, 5, {"low_level_filters": 6, **ASPP}, (5, 3)),
    ],
)
def test_same_numbers_as_an_independent_implementation(name, network, classes, sizes, seeds):
    model = fill(network((64, 48, 3), classes, **sizes), seed=seeds[0])
    output = model.predict(3 * random((2, 64, 48, 3), seed=seeds[1]), verbose=0)
    output = output[:, ::3, ::3] if output.ndim == 4 else output
    np.testing.assert_allclose(output, golden(name), atol=1e-4)


# What atrous convolution is for

def test_atrous_resnet_is_the_strided_one_evaluated_at_more_places():
    inputs = keras.Input((64, 96, 3))
    strided = fill(keras.Model(inputs, resnet_features(inputs, filters=4)))
    dense = keras.Model(inputs, resnet_features(inputs, filters=4, output_stride=8))
    dense.set_weights(strided.get_weights())
    x = random((1, 64, 96, 3), seed=1)
    few, many = strided.predict(x, verbose=0), dense.predict(x, verbose=0)
    assert [y.shape[1:3] for y in few] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert [y.shape[1:3] for y in many] == [(32, 48), (16, 24), (8, 12), (8, 12), (8, 12)]
    for a, b, step in zip(few, many, (1, 1, 1, 2, 4), strict=True):
        assert a.std() > 0.1
        np.testing.assert_allclose(b[:, ::step, ::step], a, atol=1e-4)


def test_v1_gives_scores_every_8_pixels_like_the_paper():
    model = deeplab_v1((321, 321, 3), **SMALL[deeplab_v1])
    assert model.get_layer("fc8").output.shape == (None, 41, 41, 21)
    assert [model.get_layer(f"conv{i}_3").dilation_rate for i in (3, 4, 5)] == [(1, 1), (1, 1), (2, 2)]
    assert model.get_layer("fc6").dilation_rate == (12, 12)
    assert [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)] == [0.5, 0.5]


def test_v1_field_of_view_is_25_cells_at_9_taps():
    model = fill(deeplab_v1((321, 321, 3), 2, filters=2, fc_filters=4))
    fc6 = keras.Model(model.get_layer("pool5").output, model.get_layer("fc6").output)
    x = np.zeros((2, 41, 41, 16), "float32")
    x[1, 20, 20] = 1
    without, with_impulse = fc6.predict(x, verbose=0)
    rows, columns = np.nonzero(np.abs(with_impulse - without).max(-1) > 1e-6)
    assert sorted(zip(rows, columns, strict=True)) == [(r, c) for r in (8, 20, 32) for c in (8, 20, 32)]


@pytest.mark.parametrize(("encoder", "branch"), [("vgg16", "fc6_"), ("resnet18", "logits_")])
def test_v2_adds_up_branches_that_differ_in_their_rate(encoder, branch):
    model = deeplab_v2((32, 32, 3), 3, encoder=encoder, rates=(1, 2), filters=4, fc_filters=8)
    assert [model.get_layer(f"{branch}{rate}").dilation_rate for rate in (1, 2)] == [(1, 1), (2, 2)]
    last = [model.get_layer(f"{branch.replace('fc6', 'fc8')}{rate}").output for rate in (1, 2)]
    scores = keras.Model(model.input, [*last, model.get_layer("logits").output])
    first, second, total = scores.predict(random((1, 32, 32, 3), seed=0), verbose=0)
    assert total.shape == (1, 4, 4, 3)
    np.testing.assert_allclose(first + second, total, atol=1e-5)


def test_v3_doubles_its_rates_at_output_stride_8():
    for output_stride, rates in ((16, (6, 12, 18)), (8, (12, 24, 36))):
        model = deeplab_v3((64, 64, 3), output_stride=output_stride, filters=4, aspp_filters=8)
        aspp = model.get_layer("aspp")
        assert aspp.rates == rates and aspp.output.shape[1:3] == (64 // output_stride,) * 2
        grid = [model.get_layer(f"conv5_{i}_b").dilation_rate[0] for i in (1, 2, 3)]
        assert grid == [r * 16 // output_stride for r in (2, 4, 8)]


@pytest.fixture
def short_xception(monkeypatch):
    """One middle block instead of sixteen, which are alike."""
    # (The package has the function of that name in the place of the module.)
    module = importlib.import_module("course_utils.models.deeplab_v3plus")
    monkeypatch.setattr(module, "MIDDLE_FLOW", module.MIDDLE_FLOW[:1])


@pytest.mark.parametrize("encoder", ["resnet50", "xception"])
def test_v3plus_decoder_joins_stride_4(encoder, short_xception):
    model = deeplab_v3plus((64, 96, 3), encoder=encoder, filters=8)
    joined = next(layer for layer in model.layers if isinstance(layer, layers.Concatenate))
    assert joined.output.shape == (None, 16, 24, 256 + 48)
    assert model.get_layer("aspp").output.shape == (None, 4, 6, 256)


def test_xception_stops_its_strides_and_dilates(short_xception):
    inputs = keras.Input((64, 64, 3))
    for output_stride, dilations in ((16, (1, 1, 2)), (8, (1, 2, 4))):
        model = keras.Model(inputs, xception_features(inputs, 8, output_stride))
        low, high = model.output_shape
        assert low == (None, 16, 16, 16) and high == (None, *2 * (64 // output_stride,), 256)
        found = [model.get_layer(name).dilation_rate[0] for name in (
            "block3_3_depthwise", "block4_1_depthwise", "exit_1_depthwise",
        )]  # fmt: skip
        assert tuple(found) == dilations


def test_fast_scnn_has_two_streams_and_nine_bottlenecks():
    model = fast_scnn(filters=8, expansion=3)
    assert model.get_layer("down_3_pointwise").output.shape == (None, 128, 256, 8)
    assert model.get_layer("pyramid").output.shape == (None, 32, 64, 16)
    assert model.get_layer("fusion").output.shape == (None, 128, 256, 16)
    adds = [layer.name for layer in model.layers if layer.name.endswith("_add")]
    assert adds == [f"bottleneck_{stage}_{i}_add" for stage in (1, 2, 3) for i in (2, 3)]
    assert model.get_layer("bottleneck_2_1_expand").output.shape[-1] == 3 * 8


# All of them

@pytest.mark.parametrize("network", SMALL, **names(SMALL))
def test_any_size_in_the_same_size_out(network):
    model = network((None, None, 3), 4, **SMALL[network])
    for shape in ((1, 41, 50, 3), (2, 32, 33, 3)):
        assert model.predict(random(shape, seed=0), verbose=0).shape == (*shape[:3], 4)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: deeplab_v2((32, 32, 3), encoder="vgg19"), "deeplab_v2 has the encoders vgg16, resnet18"),
        (lambda: deeplab_v3((32, 32, 3), depth=42), "resnet has depth 18, 34, 50, 101, 152, not 42"),
        (lambda: deeplab_v3((32, 32, 3), output_stride=4), "output_stride=4; ResNet can stop at 8, 16 or 32"),
        (lambda: deeplab_v3plus((32, 32, 3), encoder="vgg16"), "has the encoders xception, resnet18"),
        (lambda: xception_features(keras.Input((32, 32, 3)), output_stride=4), "Xception can stop at 8"),
        (lambda: fast_scnn(filters=6), "a multiple of 4 filters, not 6; 8 would fit"),
        (lambda: AtrousSpatialPyramidPooling(rates=()), "give one or more whole numbers"),
        (lambda: AtrousSpatialPyramidPooling(rates=(6, 0)), r"rates=\(6, 0\)"),
    ],
)
def test_wrong_arguments_get_a_sentence(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()
