"""What every lecture calls: `setup` in its first cell, `expect` beside every result."""

import importlib
import logging
import math
import os
import warnings

import keras

from course_utils import profiles


def setup(seed=0):
    """Seed everything, set precision and plot style, and print one line about this run.

    Args:
        seed: int, for Python, NumPy and the back-end.

    Returns:
        The `Profile` of this run; `profile["02"]` holds the sizes of lecture 02.

    Raises:
        ValueError: `COURSE_PROFILE` names no profile.
    """
    profile = profiles.current()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(profile.precision)
    importlib.import_module("course_utils.plots").set_style()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its advice whenever a fifth model predicts
    print(
        f"Keras {keras.__version__} on {profile.backend}, {profile.device}, "
        f"profile {profile.name}, seed {seed}"
    )
    return profile


def expect(name, value, at_least=None, at_most=None):
    """Print a result beside its bar, and complain where it misses the bar.

    A missed bar, NaN among them, raises `AssertionError` in CI (`CI` or `COURSE_STRICT` set) and
    warns elsewhere. In the smoke profile nothing is trained long enough to be judged: there CI
    only prints, and `COURSE_STRICT` still raises.

    Args:
        name: str, what was measured, with its unit.
        value: float, the result.
        at_least, at_most: float, the bar; one of them or both.

    Raises:
        AssertionError: the bar was missed, see above.
        ValueError: no bar was given.
    """
    if at_least is None and at_most is None:
        raise ValueError(f"expect({name!r}, …) needs a bar: at_least, at_most or both.")
    value = float(value)
    low = -math.inf if at_least is None else at_least
    high = math.inf if at_most is None else at_most
    bounds = [("at least", at_least), ("at most", at_most)]
    bar = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
    met = low <= value <= high
    line = f"{'✓' if met else '✗'} {name}: {value:.5g} (bar: {bar})"
    print(line)
    if met:
        return
    smoke = os.environ.get("COURSE_PROFILE") == "smoke"
    if os.environ.get("COURSE_STRICT") or (os.environ.get("CI") and not smoke):
        raise AssertionError(line)
    if not smoke:
        warnings.warn(line, stacklevel=2)
