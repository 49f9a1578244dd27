"""Weights that a golden file need not store: the same numbers here and in the script that made it.

NumPy freezes `RandomState` for ever (its NEP 19), `default_rng` it does not.
"""

import numpy as np


def random(shape, seed):
    """Standard normal float32 numbers of this shape."""
    return np.random.RandomState(seed).standard_normal(shape).astype("float32")


def fill(model, seed=0, gain=1.0):
    """Give every weight of a model a value that depends on its place, name and shape alone.

    Signals keep their scale through layers without activation; `gain`, the square root of 2, makes up
    for ReLU, which takes half of their power away.
    """
    for i, variable in enumerate(model.weights):
        shape, kind = tuple(variable.shape), variable.name
        noise = random(shape, 1000 * seed + i)
        if "kernel" in kind:
            noise *= gain / np.sqrt(np.prod(shape[:-1]))
        elif kind == "gamma":
            noise = 1 + 0.1 * noise
        elif kind == "moving_variance":
            noise = np.exp(0.2 * noise)
        else:
            noise *= 0.1
        variable.assign(noise)
    return model
