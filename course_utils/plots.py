"""Figures: one style, colours that a colour-blind reader can tell apart, an alt text for each.

Every function here ends in `show`, which stores the picture together with its alt text.
"""

import base64
import io
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.patches import Patch, Rectangle
from PIL import Image
from scipy import ndimage

from course_utils.data import voc_palette

# Okabe & Ito, "Color Universal Design" (2008), the yellow left out: too pale for lines on white.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Ten for ten digits: the same, and three of Tol's "muted" scheme.
TEN = (*OKABE_ITO, "#882255", "#44AA99", "#999933")
DASHES = ("-", "--", "-.", ":")


def set_style():
    """The style of the whole course: white ground, 10 pt sans serif, Okabe–Ito colours."""
    plt.rcParams.update(
        {
            "figure.figsize": (7, 3.5),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "font.family": "sans-serif",
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(color=OKABE_ITO),
            "image.cmap": "gray",
            "image.interpolation": "nearest",
            "legend.frameon": False,
        }
    )


# --- showing --------------------------------------------------------------------------------------


def show(figure, alt):
    """Show a figure once and close it; its alt text is stored beside the picture.

    Args:
        figure: a matplotlib figure.
        alt: str, what a reader who cannot see the figure should know.

    Raises:
        ValueError: the alt text is empty.
    """
    Live().show(*as_png(figure, alt))


def as_png(figure, alt):
    """A figure as notebook output: a dict of MIME types and its metadata. Closes the figure."""
    if not alt.strip():
        raise ValueError("a figure needs an alt text: say what it shows.")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    png = _with_few_colours(buffer)
    data = {"image/png": base64.b64encode(png).decode(), "text/plain": alt}
    return data, {"image/png": {"alt": alt}}


def _with_few_colours(png):
    """A PNG with the 256 colours that suit it best, at a third of the size."""
    small = io.BytesIO()
    picture = Image.open(png).convert("RGB")
    picture.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE).save(small, "png")
    return small.getvalue()


def in_notebook():
    """Whether this code runs in a Jupyter kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class Live:
    """One output that is redrawn in place in a notebook; elsewhere its text is printed."""

    def __init__(self):
        self._handle = None

    def show(self, data, metadata=None):
        """Show `data`, a dict of MIME types, in place of what was shown before."""
        if not in_notebook():
            print(data["text/plain"])
        elif self._handle is None:
            from IPython.display import display

            self._handle = display(data, raw=True, metadata=metadata, display_id=True)
        else:
            self._handle.update(data, raw=True, metadata=metadata)


# --- pictures -------------------------------------------------------------------------------------


def gallery(images, titles=None, *, columns=8, title=None, size=1.1, limits=(0, 1), alt):
    """Pictures in rows.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), or a list of pictures.
        titles: N str, one above each picture, or None.
        columns: int, pictures in a row.
        title: str above all, the finding.
        size: float, inches a picture.
        limits: (low, high) shown as black and white; None stretches each picture by itself.
        alt: str, the alt text.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    lines = 0 if titles is None else 1 + max(caption.count("\n") for caption in titles)
    tall = size * np.shape(images[0])[0] / np.shape(images[0])[1]
    height = (tall + 0.2 * lines) * rows + 0.3 * bool(title)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, height), squeeze=False)
    low, high = limits or (None, None)
    for axis in axes.flat:
        axis.axis("off")
    for k, (axis, image) in enumerate(zip(axes.flat, images)):  # noqa: B905, the last row may be short
        image = np.asarray(image)
        if image.ndim == 3 and image.shape[-1] == 3 and image.dtype.kind == "f":
            image = np.clip(image, 0, 1)
        axis.imshow(image, vmin=low, vmax=high)
        if titles is not None:
            axis.set_title(titles[k], fontsize=9)
    figure.suptitle(title, fontsize=11)
    show(figure, alt)


def grids(arrays, titles, *, marked=(), decimals=2, limits=None, cmap="gray", title=None, size=0.42, alt):
    """Small matrices with their numbers written in, side by side: what a computation by hand looks like.

    Args:
        arrays: list of (h, w) numbers.
        titles: list of str, one above each matrix.
        marked: list of one (rows, columns) pair of slices for each matrix, framed; None for no frame.
        decimals: int, digits behind the point at most.
        limits: (low, high), the numbers shown as the first and the last colour of `cmap`, by default as
            black and white; None for a pale grey, the darker the further a number is from 0.
        cmap: str, the colours between the limits; "RdBu" with (-a, a) shows the signs.
        title: str above all, the finding.
        size: float, inches a number.
        alt: str, the alt text.
    """
    shapes = [np.shape(array) for array in arrays]
    width = size * sum(max(w, 3) + 1 for _, w in shapes)
    height = size * max(h for h, _ in shapes) + 0.3 + 0.3 * bool(title)
    ratios = [max(w, 3) for _, w in shapes]
    figure, axes = plt.subplots(1, len(arrays), figsize=(width, height), squeeze=False, width_ratios=ratios)
    for axis, array, name in zip(axes.flat, arrays, titles, strict=True):
        array = np.asarray(array, float)
        shades = array if limits else abs(array)
        low, high = limits or (0, 3 * max(1e-9, shades.max()))  # pale: the numbers are read
        image = axis.imshow(shades, cmap=cmap if limits else "Greys", vmin=low, vmax=high)
        dark = image.to_rgba(shades)[..., :3].mean(axis=-1) < 0.5
        for (row, column), value in np.ndenumerate(array):
            number, ink = f"{round(value, decimals) + 0.0:g}", "white" if dark[row, column] else "black"
            axis.text(column, row, number, color=ink, ha="center", va="center", fontsize=9)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(True)
        axis.set_title(name, fontsize=9)
    for axis, frame in zip(axes.flat, marked):  # noqa: B905, later matrices may have no frame
        if frame:
            rows, columns = (range(*part.indices(1000)) for part in frame)
            corner = (columns[0] - 0.5, rows[0] - 0.5)
            axis.add_patch(
                Rectangle(corner, len(columns), len(rows), fill=False, edgecolor=OKABE_ITO[1], linewidth=2.5)
            )
    figure.suptitle(title, fontsize=11)
    show(figure, alt)


def masks(segmentation, indices=range(4), *, title=None, alt):
    """Show `masks_figure`, with an alt text."""
    show(masks_figure(segmentation, indices, title=title), alt)


def masks_figure(segmentation, indices=range(4), *, title=None):
    """Pictures of a `Segmentation` above their masks, in VOC colours, named and with a legend.

    Background is shown in white and void in light grey, so that a class never looks like either.

    Args:
        segmentation: a `Segmentation`.
        indices: ints, which pictures; those that the set does not have are passed over.
        title: str, the finding.

    Returns:
        The figure, not yet shown.
    """
    indices = [i for i in indices if i < len(segmentation)]
    figure, axes = plt.subplots(2, len(indices), figsize=(1.8 * len(indices) + 1.4, 4), squeeze=False)
    colours = class_colours(segmentation)
    for column, index in enumerate(indices):
        axes[0, column].imshow(segmentation.images[index], vmin=0, vmax=1)
        axes[1, column].imshow(colours[segmentation.masks[index]])
        _write_names(axes[1, column], segmentation, segmentation.masks[index])
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(True)
    axes[0, 0].set_ylabel("picture")
    axes[1, 0].set_ylabel("mask")
    present = np.unique(segmentation.masks[indices])
    entries = [
        Patch(facecolor=colours[k] / 255, edgecolor="grey", label=name)
        for k, name in [*enumerate(segmentation.class_names), (segmentation.void, "void")]
        if k in present
    ]
    figure.legend(handles=entries, loc="outside right center")
    figure.suptitle(title, fontsize=11)
    return figure


def _write_names(axis, segmentation, mask):
    """Each object's class at its thickest point, so that no colour has to be told from another."""
    foreground = [k for k in range(segmentation.num_classes) if k != segmentation.background]
    for k in foreground if len(foreground) > 1 else []:  # one colour need not be told from another
        name = segmentation.class_names[k]
        pieces, _ = ndimage.label(mask == k)
        sizes = np.bincount(pieces.ravel())
        for piece in np.flatnonzero(sizes >= 0.005 * mask.size):  # no room for a name on a splinter
            if piece == 0:
                continue
            depth = ndimage.distance_transform_edt(np.pad(pieces == piece, 1))[1:-1, 1:-1]
            y, x = np.unravel_index(depth.argmax(), depth.shape)
            text = axis.text(x, y, name, color="white", fontsize=8, ha="center", va="center")
            text.set_path_effects([patheffects.withStroke(linewidth=2, foreground="black")])


def class_colours(segmentation):
    """Colours of the ids 0 … 255 of a `Segmentation`: uint8 (256, 3)."""
    palette = voc_palette()
    background = segmentation.background
    if background != 0:  # VOC keeps colour 0, black, for the background: start at 1 elsewhere
        palette = np.roll(palette, -1, axis=0)
    if background is not None:
        palette[background] = 255
    palette[segmentation.void] = 192
    return palette


# --- curves ---------------------------------------------------------------------------------------


def curves(series, *, x=None, xlabel, ylabel, title=None, log=False, level=None, alt):
    """Lines with a legend.

    Args:
        series: dict from a name to N values.
        x: N values, None for 1 … N.
        xlabel, ylabel: str, with units.
        title: str, the finding.
        log: bool, logarithmic y axis.
        level: (name, value) of a horizontal line to compare with, or None.
        alt: str, the alt text.
    """
    figure, axis = plt.subplots()
    for (name, values), dash in zip(series.items(), cycle(DASHES)):
        axis.plot(np.arange(1, len(values) + 1) if x is None else x, values, dash, label=name)
    if level:
        axis.axhline(level[1], color="grey", linewidth=1, label=level[0])
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title, yscale="log" if log else "linear")
    axis.legend()
    show(figure, alt)


def training_curves(history, *, title=None):
    """Loss and metrics by epoch, training and validation together.

    Args:
        history: dict of lists, what `training.fit` returns.
        title: str above all.

    Returns:
        The figure, not yet shown, and its alt text.
    """
    names = [n for n in history if not n.startswith("val_") and n not in ("seconds", "learning_rate")]
    figure, axes = plt.subplots(1, len(names), figsize=(min(9, 4.5 * len(names)), 2.8), squeeze=False)
    alt = []
    mark = "o" if len(history[names[0]]) < 3 else ""  # a line through one point would not show
    for axis, name in zip(axes.flat, names, strict=True):
        parts = [("training", name, f"{mark}-"), ("validation", f"val_{name}", f"{mark}--")]
        for label, key, dash in parts:
            if key in history:
                axis.plot(np.arange(1, len(history[key]) + 1), history[key], dash, label=label)
                alt.append(f"{label} {name} goes from {history[key][0]:.4g} to {history[key][-1]:.4g}")
        positive = min(min(history[key]) for _, key, _ in parts if key in history) > 0
        axis.set(xlabel="epoch", ylabel=name, yscale="log" if name == "loss" and positive else "linear")
        axis.legend()
    figure.suptitle(title, fontsize=11)
    epochs = len(history[names[0]])
    return figure, f"Training curves over {epochs} epochs: {'; '.join(alt)}."


def codes(points, labels, *, titles, xlabels=("code 1", "code 2"), title=None, alt):
    """Two-number codes of digits, each drawn as its own label in its own colour, one panel a method.

    Args:
        points: list of (N, 2), the codes under each method.
        labels: int (N,), 0 … 9.
        titles: list of str, the panels' titles.
        xlabels: str, str: the axes' names.
        title: str above all, the finding.
        alt: str, the alt text.
    """
    figure, axes = plt.subplots(1, len(points), figsize=(4.5 * len(points), 4.3), squeeze=False)
    for axis, panel, name in zip(axes.flat, points, titles, strict=True):
        for digit in np.unique(labels):
            colour = TEN[digit % len(TEN)]
            axis.scatter(
                *panel[labels == digit].T, marker=f"${digit}$", color=colour, s=28, linewidth=0.3
            )
        axis.set(title=name, xlabel=xlabels[0], ylabel=xlabels[1])
    figure.suptitle(title, fontsize=11)
    show(figure, alt)
