"""FCN, U-Net, SegNet, DeconvNet, and the layers that are theirs."""

from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest
from fill import fill, random
from keras import layers, ops

from course_utils.layers.pooling import MaxPoolingWithIndices2D, MaxUnpooling2D
from course_utils.layers.squeeze_excite import SqueezeExcite
from course_utils.models.deconvnet import deconvnet
from course_utils.models.fcn import Bilinear, fcn
from course_utils.models.segnet import segnet
from course_utils.models.unet import unet
from course_utils.models.vgg16 import vgg16
from course_utils.receptive_field import gradient, receptive_field

# A plane with different numbers and, in the last window, a tie.
PLANE = np.array([[1, 2, 0, -1], [4, 3, -5, -2], [-1, -2, 6, 0], [-4, -3, 0, 6]], "float32")


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def images(*planes):
    """Planes (H, W) as one batch (B, H, W, 1)."""
    return np.stack(planes)[..., None]


def saved_and_loaded(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


# ---------------------------------------------------------------- pooling


def test_pooling_by_hand():
    values, indices = MaxPoolingWithIndices2D()(images(PLANE))
    np.testing.assert_array_equal(values[0, :, :, 0], [[4, 0], [-1, 6]])
    np.testing.assert_array_equal(indices[0, :, :, 0], [[2, 0], [0, 0]])  # the tie: the first
    assert keras.backend.standardize_dtype(indices.dtype) == "int32"


def test_unpooling_by_hand():
    values, indices = MaxPoolingWithIndices2D()(images(PLANE))
    back = MaxUnpooling2D()([10 * values, indices])
    expected = [[0, 0, 0, 0], [40, 0, 0, 0], [-10, 0, 60, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(back[0, :, :, 0], expected)


@pytest.mark.parametrize("p", [2, 3])
def test_pooling_keeps_channels_and_pictures_apart_and_unpooling_undoes_it(p):
    x = random((3, 2 * p, 4 * p, 5), seed=p)
    values, indices = map(ops.convert_to_numpy, MaxPoolingWithIndices2D(p)(x))
    back = ops.convert_to_numpy(MaxUnpooling2D(p)([values, indices]))
    np.testing.assert_array_equal(values, x.reshape(3, 2, p, 4, p, 5).max((2, 4)))
    assert indices.max() == p * p - 1
    np.testing.assert_array_equal(back[back != 0], x[back != 0])
    assert (back != 0).sum() == values.size


def test_the_gradient_goes_to_the_first_maximum_only():
    def loss(x):
        return ops.sum(MaxPoolingWithIndices2D()(x)[0] ** 2)

    expected = [[0, 0, 0, 0], [8, 0, 0, 0], [-2, 0, 12, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(gradient(loss, images(PLANE))[0, :, :, 0], expected)


def test_the_gradient_of_unpooling_reads_the_chosen_places():
    weights = ops.reshape(ops.arange(16, dtype="float32"), (1, 4, 4, 1))
    indices = np.array([[0, 1], [2, 3]], "int32").reshape(1, 2, 2, 1)

    def loss(values):
        return ops.sum(MaxUnpooling2D()([values, indices]) * weights)

    found = gradient(loss, np.ones((1, 2, 2, 1), "float32"))
    np.testing.assert_array_equal(found[0, :, :, 0], [[0, 3], [12, 15]])


def test_pooling_overflows_nowhere():
    x = np.full((1, 2, 2, 1), np.inf, "float32")
    values, indices = MaxPoolingWithIndices2D()(x)
    back = ops.convert_to_numpy(MaxUnpooling2D()([values, indices]))
    np.testing.assert_array_equal(back[0, :, :, 0], [[np.inf, 0], [0, 0]])


def test_pooling_in_a_model_of_unknown_size_saves_and_loads(tmp_path):
    x = inputs = keras.Input((None, None, 2))
    x, indices = MaxPoolingWithIndices2D(3)(x)
    assert x.shape == indices.shape == (None, None, None, 2)
    assert indices.dtype == "int32"
    model = keras.Model(inputs, [MaxUnpooling2D(3)([x, indices]), indices])
    again = saved_and_loaded(model, tmp_path)
    for side in (3, 9):
        picture = random((2, side, 6, 2), seed=side)
        for a, b in zip(model.predict(picture), again.predict(picture), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(5, 4), (4, 5), (5, None)])
def test_pooling_refuses_sizes_that_do_not_divide(shape):
    fit = {(5, 4): "4×4", (4, 5): "4×4", (5, None): "4×any"}[shape]
    with pytest.raises(ValueError, match=f"that 2 divides, not {shape[0]}×{shape[1]}; {fit} would fit"):
        MaxPoolingWithIndices2D()(keras.Input((*shape, 1)))


def test_pooling_refuses_tensors_that_do_not_divide():
    with pytest.raises(ValueError, match="not 5×4; 4×4 would fit"):
        MaxPoolingWithIndices2D()(np.zeros((16, 5, 4, 1), "float32"))


def test_unpooling_refuses_indices_of_another_shape():
    with pytest.raises(ValueError, match=r"not \(2, 2, 8\) and \(2, 2, 4\)"):
        MaxUnpooling2D()([keras.Input((2, 2, 8)), keras.Input((2, 2, 4), dtype="int32")])


# ---------------------------------------------------------------- squeeze and excite


def test_squeeze_excite_by_hand(tmp_path):
    x = random((2, 3, 4, 8), seed=0)
    inputs = keras.Input((None, None, 8))
    model = fill(keras.Model(inputs, SqueezeExcite(ratio=4)(inputs)))
    W1, b1, W2, b2 = model.get_weights()
    assert W1.shape == (8, 2)
    hidden = np.maximum(x.mean((1, 2)) @ W1 + b1, 0)
    weights = 1 / (1 + np.exp(-(hidden @ W2 + b2)))
    expected = x * weights[:, None, None]
    np.testing.assert_allclose(model.predict(x), expected, atol=1e-5)
    np.testing.assert_allclose(saved_and_loaded(model, tmp_path).predict(x), expected, atol=1e-5)


def test_squeeze_excite_takes_fewer_channels_than_its_ratio():
    layer = SqueezeExcite(ratio=16)
    assert layer(np.ones((1, 2, 2, 3), "float32")).shape == (1, 2, 2, 3)
    assert layer.squeeze.units == 1


def test_squeeze_excite_averages_in_single_precision():
    layer = SqueezeExcite(dtype="mixed_float16")
    y = ops.convert_to_numpy(layer(np.full((1, 512, 512, 1), 2.0, "float32")))  # their sum is 2^19
    assert y.dtype == "float16"
    assert np.isfinite(y).all()


# ---------------------------------------------------------------- against independent implementations


def golden(name):
    return np.load(Path(__file__).parent / "golden" / f"{name}.npz")


@pytest.mark.parametrize(("padding", "side"), [("same", 16), ("valid", 52)])
def test_unet_equals_its_twin(padding, side):
    model = fill(unet((side, side, 2), 3, filters=4, depth=2, padding=padding), gain=2**0.5)
    found = model.predict(random((2, side, side, 2), 1), verbose=0)
    np.testing.assert_allclose(found, golden("unet")[padding], atol=1e-4)


def test_segnet_equals_its_twin_with_its_indices():
    model = fill(segnet((32, 64, 3), 2, filters=4), gain=2**0.5)
    pools = [f"pool{i}" for i in range(1, 6)]
    inner = keras.Model(model.inputs, [model.output, *(model.get_layer(name).output[1] for name in pools)])
    logits, *indices = inner.predict(random((1, 32, 64, 3), 2), verbose=0)
    np.testing.assert_allclose(logits, golden("segnet")["logits"], atol=1e-4)
    for name, index in zip(pools, indices, strict=True):
        np.testing.assert_array_equal(index, golden("segnet")[name])


@pytest.mark.parametrize("name", ["bilinear", "learned"])
def test_fcn8s_equals_its_twin(name):
    model = fcn((32, 64, 3), 2, filters=4, dense=16, learned_upsampling=name == "learned")
    found = fill(model, gain=2**0.5).predict(random((1, 32, 64, 3), 3), verbose=0)
    np.testing.assert_allclose(found, golden("fcn8s")[name], atol=1e-4)


# ---------------------------------------------------------------- FCN


def test_fcn_has_the_same_weights_as_vgg16_at_the_middle_of_fc6s_window():
    classifier = fill(vgg16((224, 224, 3), 5, filters=2, dense=8), gain=2**0.5)
    model = fcn((224, 224, 3), 5, stride=32, filters=2, dense=8)
    for layer in classifier.layers:
        if layer.weights:
            target = model.get_layer("score_fc7" if layer.name == "logits" else layer.name)
            kernel, bias = layer.get_weights()
            target.set_weights([kernel.reshape(target.kernel.shape), bias])
    picture = random((1, 224, 224, 3), seed=0)
    scores = keras.Model(model.inputs, model.get_layer("score_fc7").output).predict(picture, verbose=0)
    np.testing.assert_allclose(scores[:, 3, 3], classifier.predict(picture, verbose=0), atol=1e-4)


@pytest.mark.parametrize("factor", [2, 8])
def test_the_bilinear_kernel_resizes_as_bilinear_resizing_does_inside(factor):
    x = random((1, 6, 5, 3), seed=factor)
    layer = layers.Conv2DTranspose(
        3, 2 * factor, factor, "same", use_bias=False, kernel_initializer=Bilinear()
    )  # fmt: skip
    inside = np.s_[:, factor:-factor, factor:-factor]
    resized = ops.convert_to_numpy(layers.UpSampling2D(factor, interpolation="bilinear")(x))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x))[inside], resized[inside], atol=1e-5)


def test_fcn_skips_start_at_zero():
    x = random((1, 64, 64, 3), seed=0)
    coarse = fcn((64, 64, 3), 4, stride=32, filters=2, dense=8)
    fine = fcn((64, 64, 3), 4, stride=8, filters=2, dense=8)
    for layer in coarse.layers:
        if layer.weights:
            fine.get_layer(layer.name).set_weights(layer.get_weights())
    finer = keras.Model(fine.inputs, fine.get_layer("fuse_pool3").output).predict(x, verbose=0)
    score = coarse.get_layer("score_fc7")
    coarse_score = keras.Model(coarse.inputs, score.output).predict(x, verbose=0)
    twice = layers.UpSampling2D(2, interpolation="bilinear")
    np.testing.assert_allclose(finer, ops.convert_to_numpy(twice(twice(coarse_score))), atol=1e-5)


def test_fcn_learned_upsampling_survives_save_and_load(tmp_path):
    model = fcn((32, 32, 3), 3, filters=2, dense=8, learned_upsampling=True)
    x = random((1, 32, 32, 3), seed=0)
    again = saved_and_loaded(model, tmp_path)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    assert isinstance(again.get_layer("logits").kernel_initializer, Bilinear)


def test_fcn_options_change_its_size():
    def size(**options):
        return trainable(fcn((None, None, 3), 5, filters=2, dense=8, **options))

    assert size(stride=16) - size(stride=32) == 16 * 5 + 5
    assert size(stride=8) - size(stride=16) == 8 * 5 + 5
    assert size(learned_upsampling=True) - size() == 25 * (16 + 16 + 256)
    # Scale and shift: beside the bias in VGG-16's blocks, in its place in fc6 and fc7.
    assert size(batch_norm=True) - size() == 2 * 2 * (2 * 1 + 2 * 2 + 3 * 4 + 6 * 8) + 2 * 8


# ---------------------------------------------------------------- U-Net


def test_unet_with_valid_padding_has_the_papers_sizes():
    model = unet((572, 572, 1), 2, filters=1, padding="valid")
    assert model.output_shape == (None, 388, 388, 2)
    assert [model.get_layer(f"skip{level}").output.shape[1] for level in range(4)] == [392, 200, 104, 56]
    assert model.get_layer("bottom_b").output.shape[1:] == (28, 28, 16)


def test_unet_with_valid_padding_takes_any_size_that_fits():
    model = unet((None, None, 1), 2, filters=1, depth=2, padding="valid")
    assert model(np.zeros((1, 44, 48, 1), "float32")).shape == (1, 4, 8, 2)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_unet_with_valid_padding_builds_at_its_smallest_size(depth):
    side = 12 * 2**depth - 4
    model = unet((side, side + 2**depth, 1), 2, filters=1, depth=depth, padding="valid")
    assert model.output_shape == (None, 4, 4 + 2**depth, 2)


def test_unet_without_padding_agrees_with_padding_where_no_border_reaches():
    x = random((1, 60, 60, 1), seed=0)
    cropped = fill(unet((60, 60, 1), 2, filters=2, depth=2, padding="valid"))
    padded = unet((64, 64, 1), 2, filters=2, depth=2)
    padded.set_weights(cropped.get_weights())
    # A shift by two pixels lays both networks' pooling windows over the same pixels.
    shifted = padded.predict(np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))), verbose=0)
    assert cropped.output_shape == (None, 20, 20, 2)
    np.testing.assert_allclose(cropped.predict(x, verbose=0), shifted[:, 22:-22, 22:-22], atol=1e-5)


def test_unet_options_change_its_size():
    def size(**options):
        return trainable(unet((16, 16, 1), 3, filters=4, depth=2, **options))

    norms = 2 * 2 * (4 + 8 + 16 + 8 + 4)                     # scale and shift, two to a level
    assert size(batch_norm=True) - size() == norms // 2      # … in the place of a bias
    assert size() - size(skips=False) == 9 * (4 * 4 + 8 * 8)
    assert size(squeeze_excite=True) - size() == 16 * 1 + 1 + 1 * 16 + 16
    assert size(dropout=0.5) == size()
    names = [layer.name for layer in unet((16, 16, 1), filters=4, depth=2, dropout=0.5).layers]
    assert "dropout" in names


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50", "vgg16"])
def test_unet_on_an_encoder(encoder):
    model = unet((32, 64, 3), 4, filters=1, encoder=encoder)
    assert model.output_shape == (None, 32, 64, 4)
    joined = [layer.name for layer in model.layers if layer.name.startswith("skip")]
    levels = (3, 2, 1, 0) if encoder == "vgg16" else (4, 3, 2, 1)
    assert joined == [f"skip{level}" for level in levels]


def small_encoder(side=None, strides=(2, 4, 8)):
    x = inputs = keras.Input((side, side, 3))
    features = []
    for stride in range(1, 1 + max(strides).bit_length()):
        if stride > 1:
            x = layers.Conv2D(4 * stride, 3, 2, "same", activation="relu", name=f"stage{stride}")(x)
        features.append(x)
    return keras.Model(inputs, [features[s.bit_length() - 1] for s in strides], name="encoder")


@pytest.mark.parametrize(("side", "strides"), [(None, (1, 2, 4)), (16, (2, 4, 8)), (None, (4, 8))])
def test_unet_on_a_given_encoder(side, strides, tmp_path):
    encoder = small_encoder(side, strides)
    encoder.trainable = False
    model = unet((side, side, 3), 4, filters=2, encoder=encoder)
    x = random((2, 16, 16, 3), seed=0)
    logits = model.predict(x, verbose=0)
    assert logits.shape == (2, 16, 16, 4)
    assert encoder in model.layers
    assert not any("stage" in v.path for v in model.trainable_variables)
    np.testing.assert_allclose(saved_and_loaded(model, tmp_path).predict(x, verbose=0), logits, atol=1e-6)


# ---------------------------------------------------------------- SegNet and the deconvolution network


def test_segnet_with_fewer_blocks():
    model = segnet((None, None, 1), 3, filters=2, blocks=3)
    fields = {name: field for name, *field in receptive_field(model)}
    assert fields["pool3"] == [44, 8]                        # as VGG-16's
    assert fields["unpool3"] == [44, 4]
    assert fields["logits"][1] == 1
    assert model(np.zeros((1, 24, 16, 1), "float32")).shape == (1, 24, 16, 3)
    assert model.get_layer("conv3_1").filters == model.get_layer("conv3_2_D").filters == 8
    assert model.get_layer("conv1_1").filters == model.get_layer("conv2_1_D").filters == 2
    assert [layer.name for layer in model.layers if "pool" in layer.name] == [
        "pool1", "pool2", "pool3", "unpool3", "unpool2", "unpool1",
    ]  # fmt: skip


def test_deconvnet_has_the_parameters_counted_by_hand():
    f, d, w, K = 2, 8, 2, 5
    multiples = [1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8]
    widths = [(f * a, f * b) for a, b in pairwise(multiples)]
    convs = sum(9 * a * b for a, b in widths)
    encoder = 9 * 3 * f + convs + 3 * (f + sum(b for _, b in widths))  # bias, scale, shift
    decoder = 9 * f * f + convs + 3 * (f + sum(a for a, _ in widths))
    dense = w * w * 8 * f * d + 3 * d + d * d + 3 * d + w * w * d * 8 * f + 3 * 8 * f
    model = deconvnet((64, 96, 3), K, filters=f, dense=d, window=w)
    assert trainable(model) == encoder + dense + decoder + f * K + K


def test_deconvnet_sees_the_picture_at_once():
    model = deconvnet((96, 96, 3), 2, filters=2, dense=8, window=3)
    assert model.get_layer("fc6").output.shape[1:] == (1, 1, 8)
    assert model.get_layer("deconv_fc6").output.shape[1:] == (3, 3, 16)


def test_deconvnet_slides_its_window_over_larger_pictures():
    model = deconvnet((None, None, 3), 2, filters=2, dense=8, window=2, blocks=3)
    assert model(np.zeros((1, 16, 32, 3), "float32")).shape == (1, 16, 32, 2)


# ---------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: fcn((48, 64, 3)), "fcn needs a height and width that 32 divides, not 48×64"),
        (lambda: fcn((64, 64, 3), stride=4), "stride=4; fcn has 32, 16 and 8"),
        (lambda: segnet((360, 480, 3)), "that 32 divides, not 360×480; 352×480 would fit"),
        (lambda: segnet((64, 64, 3), blocks=6), "blocks=6; VGG-16 has five"),
        (lambda: deconvnet((64, 64, 3)), "of at least 224, not 64; window=2 would fit"),
        (lambda: deconvnet((64, 64, 3), blocks=0), "blocks=0"),
        (lambda: deconvnet((100, 224, 3)), "that 32 divides, not 100×224"),
        (lambda: unet((572, 572, 1)), "depth=4 needs a height and width that 16 divides, not 572×572"),
        (lambda: unet((512, 512, 1), padding="valid"), "188 .* multiple of 16, not 512×512; 508×508 would"),
        (lambda: unet((64, None, 1), padding="valid"), "not 64×None; 188×any would fit"),
        (lambda: unet((64, 64, 1), padding="reflect"), "padding='reflect'"),
        (lambda: unet((64, 64, 1), depth=0), "depth=0"),
        (lambda: unet((64, 64, 3), encoder="resnet9"), "encoder='resnet9'; unet has resnet18"),
        (lambda: unet((48, 48, 3), encoder="resnet18"), "encoder='resnet18' needs .* 32 divides, not 48×48"),
        (lambda: unet((64, 64, 3), encoder="vgg16", padding="valid"), 'padding="same" only'),
        (lambda: unet((20, 20, 3), encoder=small_encoder()), "maps of 10, 5, 3 rows from a picture of 20"),
        (lambda: unet((None, None, 3), encoder=small_encoder(strides=(2, 8))), "maps of 256, 64 rows"),
        (lambda: unet((16, 16, 3), encoder=small_encoder().get_layer("stage2")), "encoder=<Conv2D"),
        (lambda: unet((32, 32, 3), encoder=vgg16((32, 32, 3), 2, filters=1, dense=1)), "a list of feature"),
    ],
)
def test_wrong_arguments_get_one_sentence(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()
