"""The dense CRF: against pydensecrf, against its definition, and what it is for."""

from pathlib import Path

import numpy as np
import pytest
from cases import crf_case

from course_utils import crf

GOLDEN = np.load(Path(__file__).parent / "golden" / "numerics.npz")


@pytest.mark.parametrize("iterations", [1, 5])
def test_it_equals_pydensecrf_up_to_that_ones_approximation(iterations):
    result = crf.dense_crf(*crf_case(), iterations=iterations, colour_sigma=13 / 255)
    expected = GOLDEN[f"crf_{iterations}"]
    assert np.abs(result - expected).max() < 0.05 and np.abs(result - expected).mean() < 2e-3
    np.testing.assert_array_equal(result.argmax(-1), expected.argmax(-1))


def test_one_step_equals_its_definition():
    probabilities, image = (array[:5, :6] for array in crf_case())
    pixels = [(y, x) for y in range(5) for x in range(6)]

    def affinity(a, b, sigma, colour_sigma=None):
        squares = sum((np.array(a) - b) ** 2) / sigma**2
        if colour_sigma:
            squares += sum((image[a] - image[b]) ** 2) / colour_sigma**2
        return np.exp(-squares / 2)

    energy = np.log(probabilities.reshape(30, 3).astype("float64"))
    for weight, *sigmas in ((2.0, 1.5), (5.0, 4.0, 0.3)):
        A = np.array([[affinity(a, b, *sigmas) for b in pixels] for a in pixels])
        D = np.diag(A.sum(1) ** -0.5)
        energy += weight * D @ A @ D @ probabilities.reshape(30, 3)
    expected = np.exp(energy) / np.exp(energy).sum(1, keepdims=True)
    result = crf.dense_crf(
        probabilities, image, iterations=1, smoothness_weight=2.0, smoothness_sigma=1.5,
        appearance_weight=5.0, appearance_sigma=4.0, colour_sigma=0.3,
    )  # fmt: skip
    np.testing.assert_allclose(result, expected.reshape(5, 6, 3), atol=1e-5)


def test_chunks_change_nothing(monkeypatch):
    whole = crf.dense_crf(*crf_case(), iterations=2)
    monkeypatch.setattr(crf, "LARGEST", 100)
    np.testing.assert_allclose(crf.dense_crf(*crf_case(), iterations=2), whole, atol=1e-5)


def test_it_moves_an_edge_to_where_the_picture_has_it():
    image = np.zeros((16, 16, 1), "float32")
    image[:, 8:] = 1
    foreground = np.full((16, 16), 0.1, "float32")
    foreground[:, 6:] = 0.7                                       # two pixels too far to the left
    result = crf.dense_crf(np.stack([1 - foreground, foreground], -1), image)
    np.testing.assert_array_equal(result.argmax(-1), image[..., 0])


def test_no_iterations_change_nothing():
    probabilities, image = crf_case()
    np.testing.assert_allclose(crf.dense_crf(probabilities, image, iterations=0), probabilities, atol=1e-6)


def test_zeros_and_ones_stay_finite():
    probabilities, image = crf_case()
    hard = np.eye(3, dtype="float32")[probabilities.argmax(-1)]
    result = crf.dense_crf(hard, image)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result.sum(-1), 1, atol=1e-5)


def test_wrong_input_is_refused():
    probabilities, image = crf_case()
    with pytest.raises(ValueError, match=r"\(24, 32, 3\) and \(24, 31, 3\)"):
        crf.dense_crf(probabilities, image[:, 1:])
    with pytest.raises(ValueError, match="not to 1; take the softmax"):
        crf.dense_crf(np.log(probabilities), image)
    with pytest.raises(ValueError, match="not to 1"):
        crf.dense_crf(np.full_like(probabilities, np.nan), image)
