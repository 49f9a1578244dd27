"""python -m course_utils.data: the pictures of the data sheet, data/NAME.png for each embedded set."""

from pathlib import Path

import matplotlib.pyplot as plt

from course_utils import data, plots

plots.set_style()
for name in ("digits", "toyvoc", "cells"):
    figure = plots.masks_figure(data.load(name, limit=16), range(6))
    figure.savefig(Path(__file__).parents[2] / "data" / f"{name}.png")
    plt.close(figure)
