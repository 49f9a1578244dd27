"""Every network at its paper's size: python tests/benchmarks/networks.py [batch size [name …]]

For each network the seconds to build it (goal: under 10), and, with a batch size (one that a GPU holds; on
a CPU give none), the milliseconds of a forward pass and of a training step.
"""

import sys
import time

import keras
import numpy as np

import course_utils
from course_utils import losses, models

NETWORKS = [name for name in models.__all__ if name not in ("gan", "linear_autoencoder", "pretrain_layers")]
REPEATS = 5


def milliseconds(step):
    """Of the fastest of some calls, after two that compile."""
    times = []
    for _ in range(REPEATS + 2):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    return min(times[2:])


def loss_and_targets(name, model, batch):
    """What the network is trained with, and random targets for it."""
    shape = model.output_shape["logits"] if name == "maskformer" else model.output_shape
    if "autoencoder" in name and name != "attention_autoencoder":
        return "mse", np.random.default_rng(0).uniform(size=(batch, *shape[1:]))
    targets = np.random.default_rng(0).integers(0, shape[-1], (batch, *shape[1:-1]))
    if name == "maskformer":
        targets = targets % 20  # as many classes as a picture may show
        return losses.MaskSet(shape[-1]), targets
    if len(shape) == 4:
        return losses.CrossEntropy(), targets
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), targets


def measure(name, batch):
    start = time.perf_counter()
    model = getattr(models, name)()
    columns = [f"{time.perf_counter() - start:6.1f} s", f"{model.count_params() / 1e6:7.1f} M"]
    if batch:
        loss, y = loss_and_targets(name, model, batch)
        x = np.random.default_rng(1).uniform(size=(batch, *model.input_shape[1:])).astype("float32")
        model.compile(keras.optimizers.SGD(1e-6), loss)
        columns.append(f"{milliseconds(lambda: model.predict_on_batch(x)):8.1f} ms")
        columns.append(f"{milliseconds(lambda: model.train_on_batch(x, y)):8.1f} ms")
    size = "×".join(str(n) for n in model.input_shape[1:])
    print(f"{name:<24} {size:>12} {' '.join(columns)}", flush=True)


if __name__ == "__main__":
    course_utils.setup()
    batch = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    print(f"{'network':<24} {'input':>12}    build     size" + "   forward      train" * bool(batch))
    for name in sys.argv[2:] or NETWORKS:
        measure(name, batch)
        keras.backend.clear_session()
