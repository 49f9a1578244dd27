"""Receptive fields: published ones, by hand, and by moving one pixel."""

import math

import keras
import numpy as np
import pytest
from keras import layers

from course_utils.layers.upsampling import PixelShuffle2D, ResizeLike
from course_utils.models.resnet import resnet
from course_utils.models.vgg16 import vgg16
from course_utils.receptive_field import effective_receptive_field, receptive_field


def field(model, name):
    return next((size, stride) for layer, size, stride in receptive_field(model) if layer == name)


def seen(model, side=64, channels=1):
    """Extent of the input pixels that change the output in the middle: rows, counted by trying each."""
    picture = np.random.default_rng(0).uniform(size=(1, side, side, channels)).astype("float32")
    pictures = np.repeat(picture, side, axis=0)
    for row in range(side):
        pictures[row, row] += 10
    outputs = model.predict(pictures, verbose=0)
    middle = outputs.shape[1] // 2
    plain = model.predict(picture, verbose=0)[0, middle, middle]
    changed = np.abs(outputs[:, middle, middle] - plain).max(-1) > 1e-6
    return int(np.ptp(np.flatnonzero(changed))) + 1


def test_published_fields():
    net = vgg16(filters=2, dense=8)  # the field does not depend on the width
    assert field(net, "pool5") == (212, 32)
    assert field(net, "fc6") == (404, 32)
    assert field(resnet(depth=18, filters=2), "conv5_2_out") == (435, 32)


def test_a_row_of_layers_by_hand():
    row = [layers.Conv2D(1, 3), layers.MaxPooling2D(2), layers.Conv2D(1, 3, dilation_rate=2)]
    assert [entry[1:] for entry in receptive_field(row)] == [(3, 1), (4, 2), (12, 2)]
    assert receptive_field([layers.Conv2D(1, (1, 5), name="wide")]) == [("wide", 5, 1)]


def test_a_u_with_skips():
    x = inputs = keras.Input((64, 64, 1))
    skip = x = layers.Conv2D(2, 3, padding="same", name="down")(x)
    x = layers.AveragePooling2D(2, name="pool")(x)
    x = layers.Conv2D(2, 3, padding="same", name="bottom")(x)
    x = layers.Conv2DTranspose(2, 2, strides=2, name="up")(x)
    x = layers.Concatenate(name="both")([skip, x])
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", name="out")(x))
    table = {name: entry for name, *entry in receptive_field(model)}
    assert table["bottom"] == [8, 2] and table["both"] == [8, 1] and table["out"] == [10, 1]
    # Two neighbours in the output may lie in two different pooled pixels: the calculation counts one window.
    assert table["out"][0] <= seen(model) <= table["out"][0] + 1


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2DTranspose(1, 4, strides=2, padding="same"),
        layers.UpSampling2D(2),
        layers.UpSampling2D(2, interpolation="bilinear"),
        PixelShuffle2D(2),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_make_larger(layer):
    x = inputs = keras.Input((32, 32, 1))
    x = layers.Conv2D(4, 3, padding="same")(x)
    model = keras.Model(inputs, layer(x))
    _, size, stride = receptive_field(model)[-1]
    assert stride == 0.5 and size == seen(model, 32)


def test_resize_like_takes_size_from_one_and_stride_from_the_other():
    inputs = keras.Input((32, 32, 1))
    small = layers.AveragePooling2D(4)(inputs)
    model = keras.Model(inputs, ResizeLike(name="resize")([small, inputs]))
    assert field(model, "resize") == (8, 1) and seen(model, 32) == 8


def test_a_model_inside_a_model():
    encoder = keras.Sequential([keras.Input((32, 32, 1)), layers.Conv2D(2, 3), layers.MaxPooling2D()])
    inputs = keras.Input((32, 32, 1))
    model = keras.Model(inputs, layers.Conv2D(1, 3)(encoder(inputs)))
    assert receptive_field(model)[-1][1:] == (8, 2)


def test_the_whole_picture():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.GlobalAveragePooling2D(name="pool")(inputs))
    assert field(model, "pool")[0] == math.inf
    inputs = keras.Input((20, 20, 3))
    model = keras.Model(inputs, layers.GlobalAveragePooling2D(name="pool")(inputs))
    assert field(model, "pool")[0] == 20


def test_a_layer_may_name_its_window_and_else_is_refused():
    class Odd(layers.Layer):
        pass

    with pytest.raises(ValueError, match=r"window of 'odd', a Odd, is not known.*attribute window"):
        receptive_field([Odd(name="odd")])
    layer = Odd(name="odd")
    layer.window = (5, 2)
    assert receptive_field([layer]) == [("odd", 5, 2)]


def test_the_gradient_fills_the_calculated_field_and_fades_towards_its_rim():
    options = {"padding": "same", "kernel_initializer": "ones"}
    body = [layers.Conv2D(1, 3, dilation_rate=d, **options) for d in (1, 2, 4)]
    model = keras.Sequential([keras.Input((48, 48, 1)), *body])
    strength = effective_receptive_field(model, np.zeros((2, 48, 48, 1)))
    assert strength.shape == (48, 48) and strength.dtype == np.float32
    # Three taps each, 1, 2 and 4 pixels apart: how many ways lead from a pixel to the middle.
    ways = np.convolve(np.convolve([1, 1, 1], [1, 0, 1, 0, 1]), [1, 0, 0, 0, 1, 0, 0, 0, 1])
    assert len(ways) == receptive_field(model)[-1][1] == 15
    expected = np.zeros((48, 48))
    expected[17:32, 17:32] = np.outer(ways, ways) / ways.max() ** 2
    np.testing.assert_allclose(strength, expected, atol=1e-6)


def test_the_gradient_by_hand():
    model = keras.Sequential([keras.Input((5, 5, 1)), layers.Conv2D(1, 3, padding="same")])
    kernel = np.arange(1.0, 10.0).reshape(3, 3, 1, 1)
    model.set_weights([kernel, np.zeros(1)])
    strength = effective_receptive_field(model, np.zeros((5, 5, 1)))
    np.testing.assert_allclose(strength[1:4, 1:4], kernel[..., 0, 0] / 9, rtol=1e-6)


def test_what_has_no_gradient_is_refused():
    flat = keras.Sequential([keras.Input((5, 5, 1)), layers.Flatten()], name="flat")
    with pytest.raises(ValueError, match=r"flat gives .* not a map"):
        effective_receptive_field(flat, np.zeros((5, 5, 1)))
    dead = keras.Sequential([keras.Input((5, 5, 1)), layers.ReLU()], name="dead")
    with pytest.raises(ValueError, match="dead does not change"):
        effective_receptive_field(dead, np.full((5, 5, 1), -1.0))
