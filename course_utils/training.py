"""Training with one line of progress and a live curve."""

import time

import keras
import numpy as np

from course_utils import data as course_data
from course_utils import plots


def fit(
    model, data, *, epochs, validation=None, batch_size=32, seed=0, callbacks=(), progress=True
):
    """Train a compiled model, with one line of progress and a live curve in a notebook.

    Args:
        model: a compiled `keras.Model`.
        data: a `Segmentation`, a tuple of arrays (x, y) or (x, y, sample weights), or any data set
            that Keras takes, which then brings its own batches and order.
        epochs: int, passes over the data, at least 1.
        validation: as `data`, scored after every epoch and never trained on; None for none.
        batch_size: int, for a `Segmentation` or arrays.
        seed: int, determines the order of the samples.
        callbacks: further Keras callbacks.
        progress: False shows nothing.

    Returns:
        dict of lists with one number an epoch: "loss", the compiled metrics, the same with
        "val_" before them, and "seconds" since the start.

    Raises:
        ValueError: the model is not compiled, the data has another form, or epochs is below 1.
    """
    if epochs < 1:
        raise ValueError(f"epochs={epochs}; train for at least one.")
    if not model.compiled:
        raise ValueError(f"the model {model.name!r} is not compiled; call model.compile(…) first.")
    callbacks = [*callbacks, _Clock()] + ([_Progress(model.name, epochs)] if progress else [])
    history = model.fit(
        _as_batches(data, batch_size, shuffle=True, seed=seed),
        validation_data=None if validation is None else _as_batches(validation, batch_size),
        epochs=epochs,
        shuffle=False,  # our batches have their own order, which depends on the seed alone
        callbacks=callbacks,
        verbose=0,
    )
    return history.history


def _as_batches(data, batch_size, **order):
    """Anything that `fit` takes, as a `PyDataset`."""
    if isinstance(data, course_data.Segmentation):
        return data.batches(batch_size, **order)
    if isinstance(data, tuple) and len(data) in (2, 3) and len({len(array) for array in data}) == 1:
        return course_data.Batches(data, batch_size, **order)
    if isinstance(data, (tuple, list, str, np.ndarray)):
        raise ValueError(
            f"cannot train on this {type(data).__name__}; give a Segmentation, a tuple (x, y) of arrays "
            "of equal length, or a data set that Keras takes."
        )
    return data


class _Clock(keras.callbacks.Callback):
    """Adds the seconds since the start to the logs, and so to the history."""

    def on_train_begin(self, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs):
        logs["seconds"] = time.perf_counter() - self._start


class _Progress(keras.callbacks.Callback):
    """One line and one curve, redrawn in place; only their last state is stored."""

    def __init__(self, name, epochs):
        super().__init__()
        self._name, self._epochs = name, epochs
        self._history, self._drawn = {}, 0.0
        self._line, self._curve = plots.Live(), plots.Live()

    def on_epoch_end(self, epoch, logs):
        for key, value in logs.items():
            self._history.setdefault(key, []).append(float(value))
        if plots.in_notebook() and time.perf_counter() - self._drawn > 2:  # drawing costs time
            self._draw()
            self._drawn = time.perf_counter()

    def on_train_end(self, logs=None):
        self._draw()

    def _draw(self):
        results = [f"{k} {v[-1]:.4g}" for k, v in self._history.items() if k != "seconds"]
        done, seconds = len(self._history["loss"]), self._history["seconds"][-1]
        line = f"{self._name}: epoch {done}/{self._epochs}, {seconds:.0f} s, {', '.join(results)}"
        self._line.show({"text/plain": line})
        if plots.in_notebook():
            figure, alt = plots.training_curves(self._history, title=self._name)
            self._curve.show(*plots.as_png(figure, alt))
