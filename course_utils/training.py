"""Training with one line of progress and a live curve; what was trained once is kept."""

import copy
import os
import time

import keras
import numpy as np

from course_utils import cache, plots
from course_utils import data as course_data


def fit(
    model, data, *, epochs, validation=None, batch_size=32, seed=0, callbacks=(), monitor="val_loss",
    progress=True,
):  # fmt: skip
    """Train a compiled model, with one line of progress and a live curve in a notebook.

    After every epoch the state is kept in `course_utils.cache.folder()`. The same call, made again with
    the same network, data and settings, goes on where an interrupted one stopped, and takes a finished
    one from there. `COURSE_RETRAIN` trains anew; so does CI, which keeps nothing. Nothing is kept
    either where the data brings its own batches, with a callback that looks on, or with code that is
    neither Keras's nor the course's: of those nobody can tell whether they have changed.

    Args:
        model: a compiled `keras.Model`.
        data: a `Segmentation`, its `batches(…)`, a tuple of arrays (x, y) or (x, y, sample weights), where
            x or y may be a tuple or dict of arrays, or any data set that Keras takes, which then
            brings its own batches and order.
        epochs: int, passes over the data, at least 1.
        validation: as `data`, scored after every epoch and never trained on; None for none.
        batch_size: int, for a `Segmentation` or arrays.
        seed: int, determines the order of the samples (and on torch what dropout draws).
        callbacks: further Keras callbacks, such as `ReduceLROnPlateau`.
        monitor: name of the result whose best epoch's weights the model has in the end: the highest,
            where the name ends in accuracy, iou or f1, else the lowest. None, or no validation where it
            begins with "val_": the weights of the last epoch.
        progress: False shows nothing.

    Returns:
        dict of lists with one number an epoch: "loss", the compiled metrics, the same with
        "val_" before them, and "seconds" since the start.

    Raises:
        ValueError: the model is not compiled, the data has another form, epochs is below 1, or there
            is no result of the name `monitor`.
    """
    if epochs < 1:
        raise ValueError(f"epochs={epochs}; train for at least one.")
    if not model.compiled:
        raise ValueError(f"the model {model.name!r} is not compiled; call model.compile(…) first.")
    data = _as_batches(data, batch_size, shuffle=True, seed=seed)
    if validation is not None:
        validation = _as_batches(validation, batch_size)
    elif monitor and monitor.startswith("val_"):
        monitor = None
    settings = {
        "data": data, "validation": validation, "epochs": epochs, "monitor": monitor, "seed": seed
    }  # fmt: skip
    file = _file(model, callbacks, settings)
    training = _Training(model, epochs, monitor, seed, callbacks, progress, file)
    if not training.finished:
        if isinstance(data, course_data.Batches):
            data.start_epoch(training.epoch)
        model.fit(
            data, validation_data=validation, initial_epoch=training.epoch, epochs=epochs, verbose=0,
            shuffle=False,  # our batches have their own order, which depends on the seed alone
            callbacks=[*callbacks, training],
        )  # fmt: skip
    return training.history


def warmup_cosine(peak, data, epochs, *, batch_size=32, warmup=0.1):
    """A learning rate that rises from 0 to its peak in a straight line, then falls to 0 as a cosine.

    Args:
        peak: float, the highest learning rate.
        data: what is trained on, as for `fit`, or one array.
        epochs, batch_size: int, as for `fit`.
        warmup: float, share of all steps in which it rises.

    Returns:
        `keras.optimizers.schedules.CosineDecay` (Loshchilov & Hutter 2017), for an optimizer.
    """
    if isinstance(data, tuple):
        data = keras.tree.flatten(data)[0]
    batches = len(data) if isinstance(data, keras.utils.PyDataset) else -(-len(data) // batch_size)
    steps = epochs * batches
    rise = round(warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if rise else peak, max(1, steps - rise), warmup_target=peak if rise else None, warmup_steps=rise
    )


def _as_batches(data, batch_size, **order):
    """Anything that `fit` takes, as a `PyDataset`; batches as a copy that begins with epoch 0."""
    if isinstance(data, course_data.Batches):
        data = copy.copy(data)
        data.start_epoch(0)
        return data
    if isinstance(data, course_data.Segmentation):
        return data.batches(batch_size, **order)
    lengths = {len(array) for array in keras.tree.flatten(data)} if isinstance(data, tuple) else ()
    if len(lengths) == 1 and len(data) in (2, 3):
        return course_data.Batches(data, batch_size, **order)
    if isinstance(data, (tuple, list, str, np.ndarray)):
        raise ValueError(
            f"cannot train on this {type(data).__name__}; give a Segmentation, a tuple (x, y) of arrays "
            "of equal length, or a data set that Keras takes."
        )
    return data


def _file(model, callbacks, settings):
    """Where this training is kept, or None where it is not."""
    if os.environ.get("CI"):
        return None
    try:
        path = cache.file_for(model, callbacks, **settings)
    except cache.NotCacheable:
        return None
    if os.environ.get("COURSE_RETRAIN"):
        path.unlink(missing_ok=True)
    return path


class _Training(keras.callbacks.Callback):
    """The state of a training: history and best weights; shown, kept, and found again.

    Attributes:
        epoch: int, epochs done.
        finished: bool.
        history: what `fit` returns.
    """

    def __init__(self, model, epochs, monitor, seed, callbacks, progress, file):
        super().__init__()
        self._net, self._epochs, self._monitor, self._seed, self._file = model, epochs, monitor, seed, file
        self._others, self._to_replay = callbacks, None
        self._progress = _Progress(model.name, epochs) if progress else None
        self.history, self.finished, self._best, self._best_value = {}, False, None, None
        if file and (kept := cache.load(file)):
            self._restore(*kept)

    @property
    def epoch(self):
        return len(self.history.get("loss", ()))

    def _restore(self, arrays, state):
        self.history, self.finished = state["history"], state["finished"]
        self._best, self._best_value = arrays.get("best"), state["best_value"]
        self._to_replay = arrays["optimizer"]
        cache.assign(self._net.variables, arrays["model"])
        cache.assign(self._net.optimizer.variables, arrays["optimizer"])
        if self.finished and self._progress:
            self._progress.draw(self.history, " (from an earlier run; COURSE_RETRAIN=1 trains anew)")

    def on_train_begin(self, logs=None):
        self._start = time.perf_counter() - (self.history["seconds"][-1] if self.history else 0)

    def on_epoch_begin(self, epoch, logs=None):
        if keras.backend.backend() == "torch":  # where dropout draws from torch's own generator
            import torch

            torch.manual_seed(self._seed * 100_003 + epoch)
        if self._to_replay is None:
            return
        for done in range(epoch):  # the other callbacks count from what they have seen: show it to them again
            for callback in self._others:
                callback.on_epoch_end(done, {name: values[done] for name, values in self.history.items()})
        cache.assign(self._net.optimizer.variables, self._to_replay)  # undo what they did to it
        self._to_replay = None

    def on_epoch_end(self, epoch, logs):
        results = {name: float(value) for name, value in logs.items()}
        results["seconds"] = time.perf_counter() - self._start
        for name, value in results.items():
            self.history.setdefault(name, []).append(value)
        if self._monitor and self._improved(results):
            self._best = cache.values(self._net.variables)
        self._keep()
        if self._progress:
            self._progress.epoch_end(self.history)

    def on_train_end(self, logs=None):
        if self._best is not None:
            cache.assign(self._net.variables, self._best)
        self.finished = True
        self._keep()
        if self._progress:
            self._progress.draw(self.history)

    def _improved(self, results):
        if self._monitor not in results:
            raise ValueError(f"monitor={self._monitor!r} is none of the results {', '.join(results)}.")
        value, best = results[self._monitor], self._best_value
        higher = self._monitor.endswith(("accuracy", "iou", "f1"))
        better = best is None or np.isnan(best) or (value > best if higher else value < best)
        if better:
            self._best_value = value
        return better

    def _keep(self):
        if self._file is None:
            return
        arrays = {"model": self._net.variables, "optimizer": self._net.optimizer.variables}
        arrays = {name: cache.values(variables) for name, variables in arrays.items()}
        if self._best is not None and not self.finished:
            arrays["best"] = self._best
        state = {"history": self.history, "finished": self.finished, "best_value": self._best_value}
        cache.save(self._file, arrays, state)


class _Progress:
    """One line and one curve, redrawn in place; only their last state is stored."""

    def __init__(self, name, epochs):
        self._name, self._epochs, self._drawn = name, epochs, 0.0
        self._line, self._curve = plots.Live(), plots.Live()

    def epoch_end(self, history):
        if plots.in_notebook() and time.perf_counter() - self._drawn > 2:  # drawing costs time
            self.draw(history)
            self._drawn = time.perf_counter()

    def draw(self, history, note=""):
        results = [f"{k} {v[-1]:.4g}" for k, v in history.items() if k != "seconds"]
        done, seconds = len(history["loss"]), history["seconds"][-1]
        line = f"{self._name}: epoch {done}/{self._epochs}, {seconds:.0f} s, {', '.join(results)}{note}"
        self._line.show({"text/plain": line})
        if plots.in_notebook():
            figure, alt = plots.training_curves(history, title=self._name)
            self._curve.show(*plots.as_png(figure, alt))
