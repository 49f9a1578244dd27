"""Classifiers before ResNet: their options, local response normalization, the Inception module."""

import keras
import numpy as np
import pytest
from fill import random
from keras import ops

from course_utils.layers.normalization import BatchNormalization, LocalResponseNormalization
from course_utils.models.alexnet import alexnet
from course_utils.models.googlenet import googlenet, inception
from course_utils.models.lenet5 import lenet5

RNG = np.random.default_rng(0)
SMALL = {
    lenet5: ((20, 24, 1), {"filters": (2, 3), "dense": (5, 4)}),
    alexnet: ((67, 75, 3), {"filters": 12, "dense": 32}),
    googlenet: ((32, 48, 3), {"filters": 4}),
}


def normalized(x, **options):
    layer = LocalResponseNormalization(**options)
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(np.array(x, "float32"))))


def test_local_response_normalization_by_hand():
    x = [[1.0, 2.0, 3.0, 4.0]]
    # Sums of squares over three channels: 1+4, 1+4+9, 4+9+16, 9+16.
    expected = [[1 / 6, 2 / 15, 3 / 30, 4 / 26]]
    np.testing.assert_allclose(normalized(x, n=3, k=1, alpha=1, beta=1), expected, 1e-6)
    np.testing.assert_allclose(normalized(x, n=1, k=0, alpha=4, beta=0.5), [[0.5] * 4], 1e-6)
    np.testing.assert_allclose(normalized(x, n=5, k=1, alpha=0, beta=7), x, 1e-6)


def test_local_response_normalization_is_the_papers_and_five_times_torchs_alpha():
    x = RNG.normal(0, 50, (2, 3, 3, 7)).astype("float32")

    def torchs(x, size, alpha, beta, k):
        """As torch documents it: x / (k + alpha / size · Σ x²)^beta."""
        windows = [slice(max(0, c - size // 2), c + size // 2 + 1) for c in range(x.shape[-1])]
        total = np.stack([(x[..., window] ** 2).sum(-1) for window in windows], axis=-1)
        return x / (k + alpha / size * total) ** beta

    np.testing.assert_allclose(normalized(x), torchs(x, 5, alpha=5e-4, beta=0.75, k=2.0), rtol=1e-5)
    assert np.abs(normalized(x) - torchs(x, 5, alpha=1e-4, beta=0.75, k=2.0)).max() > 1


def test_local_response_normalization_survives_half_precision():
    layer = LocalResponseNormalization(dtype="mixed_float16")
    y = ops.convert_to_numpy(layer(ops.full((1, 2, 2, 8), 1000.0)))     # whose squares float16 has not
    assert y.dtype == "float16"
    np.testing.assert_allclose(y[0, 0, 0, 4], 1000 / 502**0.75, rtol=1e-2)


def test_local_response_normalization_needs_a_middle():
    with pytest.raises(ValueError, match=r"n=4 channels have no channel in their middle; n=5 would fit\."):
        LocalResponseNormalization(n=4)


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (2, 1, 1, 3), (1, 1, 1, 3), (8, 3)])
@pytest.mark.parametrize("trained", [True, False])
def test_batch_normalization_is_that_of_keras(shape, trained):
    x, wanted = 3 * random(shape, seed=0) + 1, random(shape, seed=1)
    results = []
    for layer in (BatchNormalization(), keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)):
        inputs = keras.Input(shape[1:])
        model = keras.Model(inputs, layer(inputs))
        layer.trainable = trained
        layer.gamma.assign([2.0, -1.0, 0.5])
        layer.beta.assign([0.0, 1.0, -3.0])
        model.compile(keras.optimizers.SGD(0.1), "mse")  # its steps are the gradients
        model.fit(x, wanted, batch_size=len(x), epochs=3, shuffle=False, verbose=0)
        results.append([model.predict(x, verbose=0), *model.get_weights()])
    for ours, kerass in zip(*results, strict=True):
        np.testing.assert_allclose(ours, kerass, atol=2e-5)


def test_batch_normalization_in_half_precision():
    x = 100 * random((4, 16, 16, 3), seed=0)
    layer = BatchNormalization(dtype="mixed_float16")
    y = layer(x, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    y = keras.ops.convert_to_numpy(y).astype("float64")
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-2)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, atol=1e-2)
    variance = np.asarray(x, "float16").astype("float64").var(axis=(0, 1, 2))
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-3)


def test_inception_has_four_branches_over_the_same_place():
    inputs = keras.Input((9, 9, 2))
    model = keras.Model(inputs, inception(inputs, (1, 2, 3, 4, 5, 6), name="module"))
    assert model.output_shape == (None, 9, 9, 1 + 3 + 5 + 6)
    shapes = {layer.name: layer.kernel.shape for layer in model.layers if hasattr(layer, "kernel")}
    assert {name: tuple(shape) for name, shape in shapes.items()} == {
        "module_1x1": (1, 1, 2, 1),
        "module_3x3_reduce": (1, 1, 2, 2), "module_3x3": (3, 3, 2, 3),
        "module_5x5_reduce": (1, 1, 2, 4), "module_5x5": (5, 5, 4, 5),
        "module_pool_projection": (1, 1, 2, 6),
    }  # fmt: skip
    spot = np.zeros((1, 9, 9, 2), "float32")
    spot[0, 4, 4] = 1
    for weights in model.weights:
        weights.assign(np.ones(weights.shape) if "kernel" in weights.path else np.zeros(weights.shape))
    reach = (model.predict(spot, verbose=0)[0] > 0).sum((0, 1))
    np.testing.assert_array_equal(reach, [1] + [9] * 3 + [25] * 5 + [9] * 6)


@pytest.mark.parametrize("network", SMALL)
def test_classifiers_give_logits_and_survive_save_and_load(network, tmp_path):
    shape, sizes = SMALL[network]
    model = network(shape, 3, **sizes)
    pictures = RNG.uniform(size=(2, *shape)).astype("float32")
    logits = model.predict(pictures, verbose=0)
    assert logits.shape == (2, 3) and not np.allclose(logits.sum(axis=-1), 1)  # no softmax
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(pictures, verbose=0), logits, atol=1e-6)


def test_feature_maps_have_the_papers_sizes():
    def sizes(model, *names):
        return [model.get_layer(name).output.shape[1] for name in names]

    assert sizes(lenet5(), "C1", "S2", "C3", "S4") == [28, 14, 10, 5]
    small = alexnet(filters=3, dense=4)
    assert sizes(small, "conv1", "pool1", "pool2", "conv5", "pool5") == [55, 27, 13, 13, 6]
    small = googlenet(filters=4)
    assert sizes(small, "conv1", "pool1", "pool2", "pool3", "pool4") == [112, 56, 28, 14, 7]
    widths = [small.get_layer(f"inception_{name}").output.shape[-1] * 16 for name in ("3a", "4e", "5b")]
    assert widths == [256, 832, 1024]


def test_googlenet_takes_pictures_of_any_size():
    model = googlenet((None, None, 3), 3, filters=4)
    for side in (32, 51):
        assert model.predict(np.zeros((1, side, side, 3), "float32"), verbose=0).shape == (1, 3)


@pytest.mark.parametrize(("network", "shape", "sentence"), [
    (lenet5, (15, 32, 1), "lenet5 needs a height and width of at least 16, not 15×32."),
    (lenet5, (None, None, 1), "lenet5 needs a height and width of at least 16, not None×None."),
    (alexnet, (64, 64, 3), "alexnet needs a height and width of at least 67, not 64×64."),
])  # fmt: skip
def test_too_small_a_picture_is_refused(network, shape, sentence):
    with pytest.raises(ValueError, match="at least") as error:
        network(shape, 10)
    assert str(error.value) == sentence


def test_the_smallest_pictures_fit():
    for model in (lenet5((16, 16, 1)), alexnet((67, 67, 3), 10, filters=3, dense=4)):
        assert model.output_shape == (None, 10)
