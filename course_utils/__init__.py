"""Helpers shared by the lectures: data, networks, losses, metrics, plots, exercises.

A lecture begins with

    import course_utils
    profile = course_utils.setup(seed=0)

and then imports the modules it needs: `from course_utils import data, plots`.
"""

import importlib
import os


def _import_keras_quietly():
    """Import Keras without the notices that TensorFlow writes to file descriptor 2.

    TF_CPP_MIN_LOG_LEVEL no longer holds them back (TensorFlow issue 100442), and they would be the
    first thing that a student sees. Exceptions still come through.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nobody would see the notices
        importlib.import_module("keras")
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        importlib.import_module("keras")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


_import_keras_quietly()

from course_utils.profiles import Profile  # noqa: E402
from course_utils.session import expect, setup  # noqa: E402

__all__ = ["Profile", "expect", "setup"]

_MODULES = (
    "cache", "crf", "data", "exercises", "layers", "losses", "matching", "metrics", "models", "notebooks",
    "plots", "receptive_field", "toyvoc", "training",
)  # fmt: skip


def __getattr__(name):
    """Import a module on first use, so that `import course_utils` stays quick."""
    if name in _MODULES:
        return importlib.import_module(f"course_utils.{name}")
    raise AttributeError(f"module 'course_utils' has no attribute {name!r}")


def __dir__():
    return [*globals(), *_MODULES]
