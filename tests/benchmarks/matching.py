"""How long matching takes beside SciPy in a loop over pictures: python tests/benchmarks/matching.py

8 pictures, 100 queries, 20 targets, as in MaskFormer's paper. One run measures both, so that the ratio
does not depend on the machine. SciPy's time contains the way of the costs to NumPy and of the rows back.
"""

import platform
import time

import keras
import numpy as np
from keras import ops
from scipy.optimize import linear_sum_assignment

import course_utils
from course_utils.matching import hungarian

SHAPE = (8, 100, 20)


def compiled(function):
    """The function as training runs it on this back-end; torch runs it as it is."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False, jit_compile=True)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def scipy_loop(cost):
    """The same by SciPy, picture by picture."""
    pairs = map(linear_sum_assignment, ops.convert_to_numpy(cost))
    return ops.convert_to_tensor(np.stack([rows[columns.argsort()] for rows, columns in pairs]))


def milliseconds(function, cost, repeats=50):
    """The median time of a call, after one that compiles."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        ops.convert_to_numpy(function(cost))
        times.append(1000 * (time.perf_counter() - start))
    return np.median(times[1:])


if __name__ == "__main__":
    course_utils.setup()
    print(platform.platform())
    cost = ops.convert_to_tensor(np.random.default_rng(0).normal(size=SHAPE).astype("float32"))
    ours, scipys = milliseconds(compiled(hungarian), cost), milliseconds(scipy_loop, cost)
    print(f"{SHAPE}: hungarian {ours:.2f} ms, SciPy in a loop {scipys:.2f} ms, ratio {ours / scipys:.1f}")
