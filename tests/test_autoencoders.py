"""Autoencoders, the variational one and the GAN: what each adds, by hand where numbers are small."""

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.datasets import load_digits

from course_utils.layers.noise import GaussianSample, MaskingNoise
from course_utils.models.conv_autoencoder import conv_autoencoder
from course_utils.models.denoising_autoencoder import denoising_autoencoder
from course_utils.models.gan import gan
from course_utils.models.inception_autoencoder import inception_autoencoder
from course_utils.models.sparse_autoencoder import sparse_autoencoder
from course_utils.models.stacked_autoencoder import pretrain_layers, stacked_autoencoder
from course_utils.models.variational_autoencoder import variational_autoencoder

RNG = np.random.default_rng(0)
DIGITS = load_digits()
PICTURES = (DIGITS.images[:256, ..., None] / 16).astype("float32")
LABELS = DIGITS.target[:256].astype("int32")
CONVOLUTIONAL = {
    conv_autoencoder: {"filters": 4},
    inception_autoencoder: {"filters": 16, "depth": 1},
    sparse_autoencoder: {"filters": 4},
    denoising_autoencoder: {"filters": 4},
}
ALL = {
    **{network: {"code": 6, "depth": 2, **sizes} for network, sizes in CONVOLUTIONAL.items()},
    stacked_autoencoder: {"code": 6, "hidden": (24, 12)},
    variational_autoencoder: {"code": 6, "units": 24},
}
all_networks = pytest.mark.parametrize("network", ALL)


def tensor(x):
    return ops.convert_to_tensor(np.array(x, "float32"))


# --- what all share ---------------------------------------------------------------------------


@all_networks
def test_a_network_is_its_decoder_after_its_encoder(network):
    model = network((8, 8, 1), **ALL[network])
    code = model.get_layer("encoder").predict(PICTURES[:4], verbose=0)
    code = code[0] if network is variational_autoencoder else code
    assert code.shape == (4, 6)
    pictures = model.predict(PICTURES[:4], verbose=0)
    assert pictures.shape == (4, 8, 8, 1) and 0 < pictures.min() < pictures.max() < 1
    np.testing.assert_allclose(model.get_layer("decoder").predict(code, verbose=0), pictures, atol=1e-5)


@all_networks
def test_networks_survive_save_and_load(network, tmp_path):
    model = network((8, 8, 1), **ALL[network])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for part in (lambda m: m, lambda m: m.get_layer("encoder")):
        expected, got = (part(m).predict(PICTURES[:4], verbose=0) for m in (model, again))
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("network", [denoising_autoencoder, inception_autoencoder, stacked_autoencoder])
def test_training_lowers_the_loss(network):
    keras.utils.set_random_seed(0)
    model = network((8, 8, 1), **ALL[network])
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    losses = model.fit(PICTURES, PICTURES, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("network", [sparse_autoencoder, variational_autoencoder])
def test_networks_train_in_mixed_precision(network):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network((8, 8, 1), **ALL[network])
        model.compile("adam", loss="mse")
        losses = model.fit(PICTURES[:64], PICTURES[:64], epochs=2, verbose=0).history["loss"]
        assert np.isfinite(losses).all() and np.isfinite(model.predict(PICTURES[:4], verbose=0)).all()
    finally:
        keras.config.set_dtype_policy("float32")


# --- convolutional ----------------------------------------------------------------------------


@pytest.mark.parametrize("network", CONVOLUTIONAL)
def test_the_code_has_any_size_and_depth_halves_the_resolution(network):
    model = network((16, 8, 2), **CONVOLUTIONAL[network] | {"code": 300, "depth": 1})
    assert model.get_layer("encoder").output_shape == (None, 300)
    assert model.output_shape == (None, 16, 8, 2)
    flatten = next(layer for layer in model.get_layer("encoder").layers if "flatten" in layer.name)
    assert flatten.input.shape[1:3] == (8, 4)
    with pytest.raises(ValueError, match=rf"{network.__name__} needs .* not 20×8; 16×8 would fit\."):
        network((20, 8, 1))


def test_conv_autoencoder_has_the_parameters_counted_by_hand():
    model = conv_autoencoder((8, 8, 3), code=10, filters=4, depth=2)
    encoder = (27 * 4 + 2 * 4) + (36 * 8 + 2 * 8) + (2 * 2 * 8 * 10 + 10)
    decoder = (10 * 32 + 32) + (16 * 8 * 8 + 2 * 8) + (16 * 8 * 4 + 2 * 4) + (36 * 3 + 3)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == encoder + decoder


def test_inception_autoencoder_shares_out_its_filters():
    with pytest.raises(ValueError, match=r"sixteenths, which 40 has not; 32 would fit\."):
        inception_autoencoder((8, 8, 1), filters=40)
    encoder = inception_autoencoder(filters=16).get_layer("encoder")
    widths = [x.output.shape[-1] for x in encoder.layers if x.__class__.__name__ == "Concatenate"]
    assert widths == [16, 32, 64]


def test_sparsity_costs_the_sum_of_the_code():
    model = sparse_autoencoder((8, 8, 1), **ALL[sparse_autoencoder], l1=0.5)
    model.compile(loss="mse")
    code = model.get_layer("encoder").predict(PICTURES[:4], verbose=0)
    assert (code == 0).any() and (code > 0).any() and (code >= 0).all()
    error = np.mean((model.predict(PICTURES[:4], verbose=0) - PICTURES[:4]) ** 2)
    price = 0.5 * code.sum(axis=1).mean()
    loss = model.evaluate(PICTURES[:4], PICTURES[:4], verbose=0)
    np.testing.assert_allclose(loss, error + price, rtol=1e-4)


def test_a_price_empties_the_code():
    def code_after_training(l1):
        keras.utils.set_random_seed(0)
        model = sparse_autoencoder((8, 8, 1), code=32, depth=1, filters=4, l1=l1)
        model.compile(keras.optimizers.Adam(1e-2), loss="mse")
        model.fit(PICTURES, PICTURES, epochs=6, verbose=0)
        return model.get_layer("encoder").predict(PICTURES, verbose=0)

    free, priced = code_after_training(0.0), code_after_training(1e-2)
    assert priced.mean() < 0.2 * free.mean()


# --- noise ------------------------------------------------------------------------------------


def test_masking_noise_zeroes_a_share_in_training_only():
    x = tensor(np.full((50, 40), 3.0))
    layer = MaskingNoise(0.3, seed=1)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), 3)
    once, twice = (ops.convert_to_numpy(layer(x, training=True)) for _ in range(2))
    assert set(np.unique(once)) == {0.0, 3.0}
    assert abs((once == 0).mean() - 0.3) < 0.05
    assert (once != twice).any()
    with pytest.raises(ValueError, match=r"rate=1; give a share from 0 up to, but not, 1\."):
        MaskingNoise(1)


@pytest.mark.parametrize("noise", ["masking", "gaussian"])
def test_denoising_autoencoder_spoils_what_its_encoder_sees_in_training(noise, tmp_path):
    model = denoising_autoencoder((8, 8, 1), **ALL[denoising_autoencoder], noise=noise, amount=0.5)
    model.save(tmp_path / "model.keras")
    for network in (model, keras.saving.load_model(tmp_path / "model.keras")):
        layer = network.get_layer("noise")
        np.testing.assert_array_equal(ops.convert_to_numpy(layer(tensor(PICTURES))), PICTURES)
        change = ops.convert_to_numpy(layer(tensor(PICTURES), training=True)) - PICTURES
        if noise == "gaussian":
            assert abs(change.std() - 0.5) < 0.02
        else:
            assert abs((change[PICTURES > 0] != 0).mean() - 0.5) < 0.05
            assert (change <= 0).all()


def test_denoising_autoencoder_knows_two_kinds_of_noise():
    with pytest.raises(ValueError, match=r"noise='salt'; use 'gaussian' or 'masking'\."):
        denoising_autoencoder((8, 8, 1), noise="salt")


# --- stacked ----------------------------------------------------------------------------------


def test_stacked_autoencoder_mirrors_its_sizes():
    model = stacked_autoencoder()
    pairs = [(784, 1000), (1000, 500), (500, 250), (250, 30)]
    assert model.count_params() == sum(a * b + b for a, b in pairs) + sum(a * b + a for a, b in pairs)


def test_pretraining_goes_layer_by_layer_and_helps():
    keras.utils.set_random_seed(0)
    model = stacked_autoencoder((8, 8, 1), code=16, hidden=(48, 32))
    model.compile(loss="mse")
    before, start = model.get_weights(), model.evaluate(PICTURES, PICTURES, verbose=0)
    options = {"epochs": 12, "learning_rate": 1e-2, "batch_size": 32, "progress": False}
    histories = pretrain_layers(model, PICTURES, noise=0.1, **options)
    assert [len(history["loss"]) for history in histories] == [12] * 3
    assert all(history["loss"][-1] < history["loss"][0] for history in histories)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert model.evaluate(PICTURES, PICTURES, verbose=0) < 0.7 * start


def test_a_layer_is_trained_on_what_the_layer_before_it_says():
    model = stacked_autoencoder((8, 8, 1), code=3, hidden=(5,))
    first, second, third, fourth = [w.shape for w in model.weights if "kernel" in w.path]
    assert [tuple(s) for s in (first, second, third, fourth)] == [(64, 5), (5, 3), (3, 5), (5, 64)]
    pretrain_layers(model, PICTURES, epochs=1, learning_rate=0.0, progress=False)   # no step: nothing changes
    A, a, B, b, *_ = model.get_weights()
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    codes = sigmoid(sigmoid(PICTURES.reshape(-1, 64) @ A + a) @ B + b)
    np.testing.assert_allclose(model.get_layer("encoder").predict(PICTURES, verbose=0), codes, atol=1e-5)


# --- variational ------------------------------------------------------------------------------


def test_the_divergence_by_hand():
    layer = GaussianSample(kl_weight=2.0)
    # KL(N(m, v) || N(0, 1)) = (m² + v - ln v - 1) / 2, summed over the code, averaged over two pictures.
    code = layer([tensor([[1.0, 0.0], [0.0, 3.0]]), tensor([[0.0, 0.0], [np.log(4.0), 0.0]])])
    expected = 2 * ((1 / 2) + ((4 - np.log(4) - 1) / 2 + 9 / 2)) / 2
    np.testing.assert_allclose(ops.convert_to_numpy(layer.losses[0]), expected, rtol=1e-6)
    np.testing.assert_array_equal(ops.convert_to_numpy(code), [[1, 0], [0, 3]])


def test_a_code_is_drawn_from_its_gaussian_in_training():
    mean, log_variance = np.tile([2.0, -1.0], (4000, 1)), np.tile(np.log([0.25, 9.0]), (4000, 1))
    layer = GaussianSample(seed=0)
    code = ops.convert_to_numpy(layer([tensor(mean), tensor(log_variance)], training=True))
    np.testing.assert_allclose(code.mean(0), [2, -1], atol=0.2)
    np.testing.assert_allclose(code.std(0), [0.5, 3], rtol=0.1)


def test_the_loss_is_the_negative_bound_per_number():
    model = variational_autoencoder((8, 8, 1), **ALL[variational_autoencoder])
    model.compile(loss="binary_crossentropy")
    x = PICTURES[:8]
    mean, log_variance = model.get_layer("encoder").predict(x, verbose=0)
    p = model.get_layer("decoder").predict(mean, verbose=0)
    log_likelihood = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum((1, 2, 3))
    divergence = (mean**2 + np.exp(log_variance) - log_variance - 1).sum(1) / 2
    bound = (log_likelihood - divergence).mean()
    np.testing.assert_allclose(model.evaluate(x, x, verbose=0), -bound / 64, rtol=1e-4)
    heavy = variational_autoencoder((8, 8, 1), **ALL[variational_autoencoder], beta=5.0)
    heavy.set_weights(model.get_weights())
    heavy.compile(loss="binary_crossentropy")
    difference = heavy.evaluate(x, x, verbose=0) - model.evaluate(x, x, verbose=0)
    np.testing.assert_allclose(difference, 4 * divergence.mean() / 64, rtol=1e-3)


def recognised(pictures, labels):
    """The share of pictures whose nearest class mean, of the real digits, is that of their label."""
    means = np.stack([PICTURES[k == LABELS].mean(0) for k in range(10)])
    distances = ((pictures[:, None] - means) ** 2).sum((2, 3, 4))
    return (distances.argmin(1) == labels).mean()


def test_conditional_samples_look_like_their_digit(tmp_path):
    keras.utils.set_random_seed(0)
    model = variational_autoencoder((8, 8, 1), code=4, num_classes=10, units=64)
    model.compile(keras.optimizers.Adam(1e-2), loss="binary_crossentropy")
    model.fit((PICTURES, LABELS), PICTURES, epochs=25, batch_size=64, verbose=0)
    model.save(tmp_path / "model.keras")
    labels = np.repeat(np.arange(10), 20)
    codes = RNG.normal(size=(200, 4)).astype("float32")
    for network in (model, keras.saving.load_model(tmp_path / "model.keras")):
        pictures = network.get_layer("decoder").predict([codes, labels], verbose=0)
        assert recognised(pictures, labels) > 0.8


# --- adversarial ------------------------------------------------------------------------------


def test_each_player_follows_its_own_loss():
    """One step of plain gradient descent, against differences of each player's loss by itself."""
    keras.utils.set_random_seed(0)
    model = gan((2, 2, 1), 2, code=2, units=4)
    model.compile(keras.optimizers.SGD(1.0))
    labels = ops.convert_to_tensor(np.array([0, 1, 1, 0], "int32"))
    true = tensor(RNG.uniform(size=(4, 2, 2, 1)))
    state, before = ops.convert_to_numpy(model.seed_generator.state), model.get_weights()

    def losses():
        model.seed_generator.state.assign(state)                             # the same codes every time
        fake = model(labels, training=True)
        on_true, on_fake = (
            ops.convert_to_numpy(model.discriminator([pictures, labels])) for pictures in (true, fake)
        )
        softplus = np.logaddexp(0, [-on_true, on_fake, -on_fake]).mean((1, 2))
        return {"discriminator": softplus[0] + softplus[1], "generator": softplus[2]}

    total = sum(losses().values())
    model.seed_generator.state.assign(state)
    loss = model.train_on_batch(labels, true, return_dict=True)["loss"]
    np.testing.assert_allclose(loss, total, rtol=1e-5)
    steps = {w.path: b - a for w, a, b in zip(model.weights, model.get_weights(), before, strict=True)}
    model.set_weights(before)
    for player in ("generator", "discriminator"):
        for weight in getattr(model, player).trainable_weights[::2]:
            value = ops.convert_to_numpy(weight)
            nudge = np.zeros_like(value)
            nudge.flat[0] = 1e-3
            weight.assign(value + nudge)
            above = losses()[player]
            weight.assign(value - nudge)
            slope = (above - losses()[player]) / 2e-3
            weight.assign(value)
            np.testing.assert_allclose(steps[weight.path].flat[0], slope, atol=2e-3)


def test_gan_changes_both_players_and_reports_their_losses():
    keras.utils.set_random_seed(0)
    model = gan((8, 8, 1), 10, code=4, units=8)
    model.compile(keras.optimizers.Adam(1e-3))
    before = model.get_weights()
    history = model.fit(LABELS, PICTURES, epochs=1, verbose=0).history
    assert model.predict(LABELS[:3], verbose=0).shape == (3, 8, 8, 1)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    total = history["generator_loss"][0] + history["discriminator_loss"][0]
    np.testing.assert_allclose(history["loss"][0], total, rtol=1e-4)


def test_gan_trains_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = gan((8, 8, 1), 10, code=4, units=8)
        model.compile(keras.optimizers.Adam(1e-3))
        losses = model.fit(LABELS, PICTURES, epochs=2, verbose=0).history["loss"]
        assert np.isfinite(losses).all() and np.isfinite(model.predict(LABELS, verbose=0)).all()
    finally:
        keras.config.set_dtype_policy("float32")


def test_gan_survives_save_and_load_and_trains_on(tmp_path):
    model = gan((8, 8, 1), 10, code=4, units=8)
    model.compile("adam")
    model.fit(LABELS, PICTURES, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    codes = RNG.normal(size=(5, 4)).astype("float32")
    expected = model.generator.predict([codes, LABELS[:5]], verbose=0)
    np.testing.assert_allclose(again.generator.predict([codes, LABELS[:5]], verbose=0), expected, atol=1e-6)
    assert again.predict(LABELS, verbose=0).shape == PICTURES.shape
    again.fit(LABELS, PICTURES, epochs=1, verbose=0)
