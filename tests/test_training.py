"""training.fit: what it takes, what it returns, what it shows, what it keeps."""

import importlib.metadata
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from course_utils import cache, data, losses, metrics, plots, training


def line_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    return model


X = np.linspace(-1, 1, 32, dtype="float32")[:, None]
Y = 2 * X + 1


@pytest.fixture
def trained(monkeypatch):
    """Epochs that were really trained, counted."""
    epochs = []
    end = training._Training.on_epoch_end

    def on_epoch_end(self, epoch, logs):
        epochs.append(epoch)
        end(self, epoch, logs)

    monkeypatch.setattr(training._Training, "on_epoch_end", on_epoch_end)
    return epochs


def test_fit_learns_a_line_and_returns_its_history():
    model = line_model()
    history = training.fit(model, (X, Y), epochs=30, validation=(X, Y), batch_size=8, progress=False)
    assert set(history) == {"loss", "mae", "val_loss", "val_mae", "seconds"}
    assert all(len(values) == 30 for values in history.values())
    assert history["val_loss"][-1] < 1e-3
    assert np.all(np.diff(history["seconds"]) > 0)
    np.testing.assert_allclose([w.ravel()[0] for w in model.get_weights()], [2, 1], atol=0.05)


def test_the_same_seed_gives_the_same_training():
    def run(seed):
        return training.fit(line_model(), (X, Y), epochs=3, batch_size=8, seed=seed, progress=False)

    runs = []
    for seed in (0, 0, 1):
        random.seed(len(runs))  # the order does not depend on anybody else's generator
        runs.append(run(seed))
    np.testing.assert_allclose(runs[0]["loss"], runs[1]["loss"], rtol=1e-6)
    assert not np.allclose(runs[0]["loss"], runs[2]["loss"], rtol=1e-6)


def test_validation_is_not_trained_on():
    model = line_model()
    training.fit(model, (X, Y), epochs=30, validation=(X, Y + 100), batch_size=8, progress=False)
    assert abs(model.get_weights()[1][0] - 1) < 0.05


def test_fit_takes_a_segmentation_and_its_batches():
    scenes = data.load("digits", size=24, limit=8)
    model = keras.Sequential([keras.Input((24, 24, 1)), keras.layers.Conv2D(11, 1)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile("adam", loss=loss)
    history = training.fit(model, scenes, epochs=2, validation=scenes, batch_size=4, progress=False)
    assert history["loss"][1] < history["loss"][0]
    again = training.fit(model, scenes.batches(4), epochs=1, progress=False)
    assert again["loss"][0] < history["loss"][1]


def test_further_callbacks_are_called():
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    training.fit(line_model(), (X, Y), epochs=2, callbacks=[callback], progress=False)
    assert seen == [0, 1]


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match=r"'line' is not compiled"):
        training.fit(keras.Sequential([keras.Input((1,))], name="line"), (X, Y), epochs=1)


def test_sample_weights_count():
    model = line_model()
    weights = np.where(X[:, 0] > 0, 1.0, 0.0)  # the left half, with another line, does not count
    training.fit(model, (X, np.where(X > 0, Y, -Y), weights), epochs=200, batch_size=8, progress=False)
    np.testing.assert_allclose([w.ravel()[0] for w in model.get_weights()], [2, 1], atol=0.2)


def test_several_inputs_are_a_tuple(trained):
    def two_inputs():
        keras.utils.set_random_seed(0)
        a, b = keras.Input((1,)), keras.Input((1,))
        model = keras.Model((a, b), keras.layers.Dense(1)(keras.layers.Concatenate()([a, b])))
        model.compile("sgd", "mse")
        return model

    history = training.fit(two_inputs(), ((X, 2 * X), Y), epochs=2, batch_size=8, progress=False)
    assert history["loss"][1] < history["loss"][0]
    training.fit(two_inputs(), ((X, 2 * X), Y), epochs=2, batch_size=8, progress=False)
    assert trained == [0, 1]
    training.fit(two_inputs(), ((X, 3 * X), Y), epochs=2, batch_size=8, progress=False)
    assert trained == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="cannot train on this tuple"):
        training.fit(two_inputs(), ((X, X[1:]), Y), epochs=1)


def test_any_data_set_of_keras_is_passed_on():
    class Own(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return X, Y

    assert training.fit(line_model(), Own(), epochs=1, progress=False)["loss"]


def test_no_epochs_are_refused():
    with pytest.raises(ValueError, match="epochs=0"):
        training.fit(line_model(), (X, Y), epochs=0)


@pytest.mark.parametrize("wrong", [X, (X, Y[:3]), (X,), "digits"])
def test_data_of_another_form_is_refused(wrong):
    with pytest.raises(ValueError, match="cannot train on"):
        training.fit(line_model(), wrong, epochs=1, progress=False)


def test_outside_a_notebook_one_line_is_printed_at_the_end(capsys):
    training.fit(line_model(), (X, Y), epochs=3)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "epoch 3/3" in out and "loss" in out and "mae" in out


def test_in_a_notebook_line_and_curve_are_redrawn_in_place(monkeypatch):
    shown = []

    class Handle:
        def update(self, data, **_):
            shown.append(("update", data))

    def display(data, **options):
        assert options["display_id"]
        shown.append(("display", data))
        return Handle()

    monkeypatch.setattr(plots, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", display)
    training.fit(line_model(), (X, Y), epochs=3)
    assert [kind for kind, _ in shown].count("display") == 2  # one line, one curve, whatever the epochs
    last_line = [d for _, d in shown if "image/png" not in d][-1]
    assert "epoch 3/3" in last_line["text/plain"]
    last_curve = [d for _, d in shown if "image/png" in d][-1]
    assert "over 3 epochs" in last_curve["text/plain"]


# --- what was trained is kept ---------------------------------------------------------------------


def small_network(width=4, **layer):
    keras.utils.set_random_seed(0)
    body = [keras.layers.Conv2D(width, 3, padding="same", **layer), keras.layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((24, 24, 1)), *body, keras.layers.Conv2D(11, 1)], name="small")
    return compiled(model)


def compiled(model, rate=1e-2, loss=None, **options):
    model.compile(keras.optimizers.Adam(rate), loss or losses.CrossEntropy(), **options)
    return model


SCENES = data.load("digits", size=24, limit=24)
TRAIN, VALIDATION = SCENES.take(range(16)), SCENES.take(range(16, 24))


def fit(model, train=TRAIN, **options):
    settings = {"epochs": 4, "batch_size": 8, "validation": VALIDATION, "progress": False, **options}
    return training.fit(model, train, **settings)


def kept():
    return sorted(cache.folder().glob("*"))


def test_the_same_training_again_is_taken_from_the_cache(trained):
    first, again = small_network(), small_network()
    history = fit(first)
    assert trained == [0, 1, 2, 3] and len(kept()) == 1
    assert fit(again) == history
    assert trained == [0, 1, 2, 3]
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # And what is trained next starts from the same state of the optimizer, too.
    assert fit(first, epochs=1) == fit(again, epochs=1) and trained == [0, 1, 2, 3, 0]


def frozen(model):
    model.layers[0].trainable = False
    return compiled(model)


def other_weights(model):
    model.set_weights([w + 0.01 for w in model.get_weights()])
    return model


def changed(segmentation, field):
    array = getattr(segmentation, field).copy()
    array[3, 4, 5] = 1 - array[3, 4, 5] if field == "images" else (array[3, 4, 5] + 1) % 11
    return replace(segmentation, **{field: array})


SUM = losses.Sum([losses.CrossEntropy(), losses.Dice()], [1.0, 0.5])
INGREDIENTS = {
    "width": lambda: fit(small_network(width=5)),
    "activation": lambda: fit(small_network(activation="relu")),
    "dilation": lambda: fit(small_network(dilation_rate=2)),
    "a frozen layer": lambda: fit(frozen(small_network())),
    "initial weights": lambda: fit(other_weights(small_network())),
    "a pixel": lambda: fit(small_network(), changed(TRAIN, "images")),
    "a label": lambda: fit(small_network(), changed(TRAIN, "masks")),
    "order of the data": lambda: fit(small_network(), TRAIN.take(range(15, -1, -1))),
    "a label of validation": lambda: fit(small_network(), validation=changed(VALIDATION, "masks")),
    "no validation": lambda: fit(small_network(), validation=None),
    "augmentation": lambda: fit(
        small_network(), TRAIN.batches(8, shuffle=True, augment=data.augment(flip=True))
    ),
    "loss": lambda: fit(compiled(small_network(), loss=SUM)),
    "a loss's argument": lambda: fit(compiled(small_network(), loss=losses.Focal(gamma=1.0))),
    "learning rate": lambda: fit(compiled(small_network(), rate=2e-2)),
    "schedule": lambda: fit(compiled(small_network(), rate=training.warmup_cosine(1e-2, TRAIN, 4))),
    "metrics": lambda: fit(compiled(small_network(), metrics=[metrics.MeanIoU(11)])),
    "monitor": lambda: fit(small_network(), monitor="loss"),
    "callback": lambda: fit(small_network(), callbacks=[keras.callbacks.ReduceLROnPlateau(patience=1)]),
    "a callback's argument": lambda: fit(
        small_network(), callbacks=[keras.callbacks.ReduceLROnPlateau(patience=2)]
    ),
    "epochs": lambda: fit(small_network(), epochs=3),
    "batch size": lambda: fit(small_network(), batch_size=4),
    "seed": lambda: fit(small_network(), seed=1),
}


def test_each_ingredient_makes_it_another_training(monkeypatch):
    files, load = [], cache.load
    monkeypatch.setattr(cache, "load", lambda file: files.append(file) or load(file))
    monkeypatch.setattr(keras.Sequential, "fit", lambda *_, **__: None)  # which file is all that counts here
    fit(small_network())
    fit(small_network())
    assert files[0] == files[1]
    for name, train in INGREDIENTS.items():
        train()
        assert files[-1] not in files[:-1], name


def test_so_do_profile_back_end_versions_and_code(monkeypatch):
    names = {cache.file_for(small_network())}
    for change in (
        lambda m: m.setenv("COURSE_PROFILE", "smoke"),
        lambda m: m.setattr(cache, "_versions", lambda: ["tensorflow", "keras 99.0"]),
        lambda m: m.setattr(cache, "CODE", cache.CODE[1:]),
    ):
        with monkeypatch.context() as m:
            change(m)
            names.add(cache.file_for(small_network()))
    assert len(names) == 4
    assert keras.backend.backend() in cache._versions()
    assert f"keras {importlib.metadata.version('keras')}" in cache._versions()


def test_comments_and_docstrings_make_no_other_training():
    assert cache._bare('def f(x):\n    """Words."""\n    return x') == cache._bare(
        'def f(x):\n    """Others."""\n    # why\n    return x'
    )
    assert cache._bare("def f(x):\n    return x") != cache._bare("def f(x):\n    return -x")


def test_what_was_built_before_makes_no_other_training():
    path = cache.file_for(small_network())
    keras.Sequential([keras.Input((24, 24, 1)), keras.layers.Conv2D(4, 3), keras.layers.Dropout(0.2)])
    assert cache.file_for(small_network()) == path


@pytest.mark.parametrize(
    "train",
    [
        lambda: fit(small_network(), callbacks=[keras.callbacks.LambdaCallback()]),
        lambda: fit(compiled(small_network(), loss=lambda y, p: p[..., 0])),
        lambda: fit(compiled(small_network(), metrics=[lambda y, p: p[..., 0]])),
        lambda: fit(small_network(), TRAIN.batches(8, augment=lambda **pair: pair)),
    ],
    ids=["a callback that looks on", "a function as loss", "a function as metric", "a foreign augmentation"],
)  # fmt: skip
def test_what_cannot_be_told_from_another_is_not_kept(train):
    assert len(train()["loss"]) == 4 and not kept()


def test_a_layer_of_the_students_own_is_not_kept():
    class Own(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    keras.utils.set_random_seed(0)
    body = [keras.layers.Conv2D(11, 1), Own()]
    fit(compiled(keras.Sequential([keras.Input((24, 24, 1)), *body])))
    assert not kept()


@pytest.mark.parametrize(("variable", "files"), [("COURSE_RETRAIN", 1), ("CI", 0)])
def test_on_demand_and_in_ci_it_is_trained_anew(variable, files, trained, monkeypatch):
    monkeypatch.setenv(variable, "1")
    for _ in range(2):
        fit(small_network())
    assert trained == 2 * [0, 1, 2, 3] and len(kept()) == files


class Killed(BaseException):
    """As final as a killed kernel: nothing of `fit` runs after it."""


def interrupted(monkeypatch, after, **options):
    """A training that dies while it writes the state after some epoch."""
    with monkeypatch.context() as patch:
        savez, count = np.savez, iter(range(100))

        def die(file, **arrays):
            if next(count) == after:
                file.write(b"half a file")
                raise Killed
            savez(file, **arrays)

        patch.setattr(np, "savez", die)
        with pytest.raises(Killed):
            fit(small_network(), **options)


PLATEAU = {"monitor": "loss", "patience": 2, "min_delta": 10.0, "factor": 0.5}  # falls every other epoch


def test_an_interrupted_training_goes_on_and_ends_as_if_nothing_had_been(trained, monkeypatch):
    def options():
        return {
            "epochs": 6,
            "train": TRAIN.batches(4, shuffle=True, augment=data.augment(flip=True, noise=0.1)),
            "callbacks": [keras.callbacks.ReduceLROnPlateau(**PLATEAU)],
        }

    monkeypatch.setenv("COURSE_RETRAIN", "1")
    whole = small_network()
    expected = fit(whole, **options())
    assert len(set(expected["learning_rate"])) > 2
    monkeypatch.delenv("COURSE_RETRAIN")
    for file in kept():
        file.unlink()
    interrupted(monkeypatch, after=3, **options())
    trained.clear()
    resumed = small_network()
    history = fit(resumed, **options())
    assert trained == [3, 4, 5]  # the epoch in which it died is the one that is lost
    for name in ("loss", "val_loss", "learning_rate"):
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-4)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert np.all(np.diff(history["seconds"]) > 0)
    assert fit(small_network(), **options()) == history and trained == [3, 4, 5]


def test_a_killed_process_leaves_a_state_to_go_on_from(trained):
    code = """
import os, sys
sys.path[:0] = [{tests!r}, {golden!r}]
import test_training as t
from course_utils import cache
save, count = cache.save, iter(range(9))
def die(*arguments):
    save(*arguments)
    if next(count) == 1:
        os._exit(9)
cache.save = die
t.fit(t.small_network())
"""
    tests = Path(__file__).parent
    code = code.format(tests=str(tests), golden=str(tests / "golden"))
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 9
    fit(small_network())
    assert trained == [2, 3]


def test_the_best_weights_are_those_of_the_best_epoch():
    model = compiled(small_network(), metrics=[metrics.MeanIoU(11)])
    shifted = [w + 3.0 for w in model.get_weights()]  # later epochs start from ruined weights
    ruin = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epoch == 5 and model.set_weights(shifted)
    )
    history = fit(model, epochs=6, callbacks=[ruin])
    best = min(history["val_loss"])
    assert best < history["val_loss"][-1]
    value = model.evaluate(VALIDATION.batches(8), verbose=0, return_dict=True)["loss"]
    assert value == pytest.approx(best, rel=1e-5)
    model = compiled(small_network(), rate=0.5, metrics=[metrics.MeanIoU(11)])
    history = fit(model, epochs=8, monitor="val_mean_iou")
    value = model.evaluate(VALIDATION.batches(8), verbose=0, return_dict=True)["mean_iou"]
    assert value == pytest.approx(max(history["val_mean_iou"]), rel=1e-5)
    model = compiled(small_network(), rate=0.5)
    history = fit(model, epochs=8, monitor=None)
    value = model.evaluate(VALIDATION.batches(8), verbose=0, return_dict=True)["loss"]
    assert value == pytest.approx(history["val_loss"][-1], rel=1e-5)
    with pytest.raises(ValueError, match=r"monitor='val_iou' is none of the results loss, val_loss"):
        fit(small_network(), monitor="val_iou")


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_broken_file_is_named_and_trained_anew(content, trained):
    fit(small_network())
    (file,) = kept()
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    with pytest.warns(UserWarning, match=f"{file.name}: is broken .* training anew"):
        fit(small_network())
    assert trained == 2 * [0, 1, 2, 3]
    fit(small_network())
    assert len(trained) == 8


def test_a_folder_that_cannot_be_written_is_named_and_training_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be written .* not kept"):
        assert len(fit(small_network())["loss"]) == 4


def test_a_training_that_stopped_early_is_finished(trained):
    def stop():
        return [keras.callbacks.EarlyStopping("loss", min_delta=100, patience=1)]

    history = fit(small_network(), epochs=9, callbacks=stop())
    assert len(history["loss"]) == 2
    assert fit(small_network(), epochs=9, callbacks=stop()) == history and len(trained) == 2


def test_the_line_says_that_it_was_trained_before(capsys):
    fit(small_network(), progress=True)
    assert "earlier" not in capsys.readouterr().out
    fit(small_network(), progress=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "epoch 4/4" in out and "from an earlier run" in out


def test_warm_up_then_cosine():
    schedule = training.warmup_cosine(0.1, (np.zeros(100)), epochs=10, batch_size=10, warmup=0.2)
    rates = [float(schedule(step)) for step in (0, 10, 20, 60, 100)]
    np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.05, 0], atol=1e-6)
    rates = [float(training.warmup_cosine(0.1, TRAIN.batches(8), 5, warmup=0)(step)) for step in (0, 5, 10)]
    pair = (np.zeros((100, 2)), np.zeros(100))  # as long as its arrays
    of_pair = training.warmup_cosine(0.1, pair, epochs=10, batch_size=10, warmup=0.2)
    assert of_pair.get_config() == schedule.get_config()
    np.testing.assert_allclose(rates, [0.1, 0.05, 0], atol=1e-6)
