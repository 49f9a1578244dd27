"""training.fit: what it takes, what it returns, what it shows."""

import random

import keras
import numpy as np
import pytest

from course_utils import data, plots, training


def line_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    return model


X = np.linspace(-1, 1, 32, dtype="float32")[:, None]
Y = 2 * X + 1


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
