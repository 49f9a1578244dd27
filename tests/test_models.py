"""Networks: size, behaviour, save and load."""

import keras
import numpy as np
import pytest
from keras import ops

from course_utils import models

INPUTS = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")


def test_linear_autoencoder_has_the_parameters_counted_by_hand():
    assert models.linear_autoencoder((8, 8, 1), code=10).count_params() == 64 * 10 + 10 + 10 * 64 + 64
    assert models.linear_autoencoder((64, 64, 3)).count_params() == 12288 * 32 + 32 + 32 * 12288 + 12288


def test_linear_autoencoder_is_the_product_of_its_matrices():
    model = models.linear_autoencoder((8, 8, 1), code=4)
    A, a, B, b = model.get_weights()
    expected = ((INPUTS.reshape(3, 64) @ A + a) @ B + b).reshape(3, 8, 8, 1)
    np.testing.assert_allclose(model.predict(INPUTS, verbose=0), expected, atol=1e-5)
    codes = model.get_layer("encoder").predict(INPUTS, verbose=0)
    np.testing.assert_allclose(codes, INPUTS.reshape(3, 64) @ A + a, atol=1e-5)
    decoded = model.get_layer("decoder").predict(codes, verbose=0)
    np.testing.assert_allclose(decoded, expected, atol=1e-5)


def test_linear_autoencoder_stays_in_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = models.linear_autoencoder((8, 8, 1), code=4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(model(ops.convert_to_tensor(INPUTS)).dtype) == "float32"


@pytest.mark.parametrize("name", models.__all__)
def test_networks_survive_save_and_load(name, tmp_path):
    model = getattr(models, name)((8, 8, 1), code=4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(INPUTS, verbose=0), model.predict(INPUTS, verbose=0), atol=1e-6)
