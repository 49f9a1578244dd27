"""What every test runs under."""

import os

import pytest

# XLA's optimizations take longer than the tests that would profit; set before JAX is imported.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


@pytest.fixture(autouse=True)
def same_numbers():
    """Weights do not depend on which tests ran before."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path_factory, monkeypatch):
    """No test finds what another one, or a student, has trained."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name in ("CI", "COURSE_RETRAIN"):
        monkeypatch.delenv(name, raising=False)
