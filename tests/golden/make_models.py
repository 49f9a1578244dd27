"""Writes models.npz: what each small network gives on TensorFlow, for the other back-ends to equal.

    python tests/golden/make_models.py
"""

from pathlib import Path

import keras
import numpy as np
from fill import fill
from keras import ops
from small_models import AUTOENCODERS, CLASSIFIERS, SEGMENTERS, pictures

NUMBERS = 60  # of each output, evenly spread


def output(name, build, arguments):
    model = fill(build(**arguments), gain=2**0.5)
    y = model(pictures(model), training=False)
    y = np.ravel(ops.convert_to_numpy(y["logits"] if isinstance(y, dict) else y))
    y = y[:: -(-y.size // NUMBERS)]
    print(f"{name}: {len(y)} numbers, spread {y.std():.3g}")
    assert np.isfinite(y).all() and y.std() > 0.01
    return y


if __name__ == "__main__":
    assert keras.backend.backend() == "tensorflow"
    networks = {**CLASSIFIERS, **SEGMENTERS, **AUTOENCODERS}
    results = {name: output(name, *network) for name, network in networks.items()}
    np.savez_compressed(Path(__file__).with_name("models.npz"), **results)
