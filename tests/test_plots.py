"""Plots: every figure is shown once, with an alt text, in the course's style."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from course_utils import data, plots


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would have stored."""
    outputs = []
    monkeypatch.setattr(plots, "in_notebook", lambda: True)
    monkeypatch.setattr(
        "IPython.display.display", lambda d, metadata=None, **_: outputs.append((d, metadata))
    )
    plots.set_style()
    return outputs


def picture(output):
    return Image.open(io.BytesIO(base64.b64decode(output[0]["image/png"])))


def draw_gallery():
    plots.gallery(np.zeros((5, 8, 8, 1)), list("abcde"), columns=3, title="Five", alt="five pictures")


def draw_colours():
    plots.gallery(np.full((2, 8, 8, 3), 1.5), alt="two pictures in colour, some values above 1")


def draw_masks():
    plots.masks(data.load("digits", limit=3), indices=[0, 2], alt="two scenes")


def draw_curves():
    plots.curves({"a": [1, 2, 3]}, xlabel="x (s)", ylabel="y", level=("bar", 2), log=True, alt="a line")


def draw_codes():
    points = np.random.default_rng(0).normal(size=(20, 2))
    plots.codes([points, points], np.arange(20) % 10, titles=["a", "b"], alt="codes")


DRAWINGS = [draw_gallery, draw_colours, draw_masks, draw_curves, draw_codes]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_every_figure_is_shown_once_with_its_alt_text_and_closed(draw, shown):
    draw()
    assert len(shown) == 1
    output, metadata = shown[0]
    assert output["text/plain"] and metadata["image/png"]["alt"] == output["text/plain"]
    width, height = picture(shown[0]).size
    assert 100 <= width <= 950 and 80 <= height <= 620
    assert not plt.get_fignums()


def test_a_figure_without_alt_text_is_refused(shown):
    with pytest.raises(ValueError, match="alt text"):
        plots.curves({"a": [1]}, xlabel="x", ylabel="y", alt=" ")


def test_outside_a_notebook_the_alt_text_is_printed(capsys):
    draw_curves()
    assert capsys.readouterr().out == "a line\n"


def test_voc_palette_has_the_published_colours():
    # From the VOC development kit: aeroplane, bicycle, bird, person, tv monitor, void.
    palette = data.voc_palette()
    for index, colour in {
        0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 15: (192, 128, 128),
        20: (0, 64, 128), 255: (224, 224, 192),
    }.items():  # fmt: skip
        assert tuple(palette[index]) == colour


def test_background_is_white_and_no_two_classes_share_a_colour():
    scenes = data.load("digits", limit=1)
    colours = plots.class_colours(scenes)
    assert tuple(colours[10]) == (255, 255, 255)
    assert len({tuple(c) for c in colours[:11]}) == 11
    assert tuple(colours[255]) not in {tuple(c) for c in colours[:11]}


def test_training_curves_say_where_they_begin_and_end():
    figure, alt = plots.training_curves({"loss": [2.0, 1.0], "val_loss": [3.0, 1.5], "seconds": [1, 2]})
    plt.close(figure)
    assert alt == (
        "Training curves over 2 epochs: training loss goes from 2 to 1; validation loss goes from 3 to 1.5."
    )
