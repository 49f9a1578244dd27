"""Study: U-Net and SegNet on the real M2NIST scenes.

    COURSE_DATA_DIR=… python tests/studies/m2nist.py [--choose] [ROW …]

Trains on the first 3,500 scenes (`train` and `val`) and scores the last 500 (`test`) once, after the last
epoch; no test scene is seen in training or in choosing. Adds its rows to data/studies/m2nist.json, and draws
their losses into m2nist.png beside it. Half an hour a row. `--choose` is for trying settings: it trains on
the first 3,000 (`train`), scores the next 500 (`val`), and writes nothing.
"""

import datetime
import json
import os
import platform
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

import course_utils
from course_utils import data, losses, metrics, plots, training
from course_utils.models.segnet import segnet
from course_utils.models.unet import unet

FILE = Path(__file__).parents[2] / "data" / "studies" / "m2nist.json"
K, BACKGROUND = 11, 10
SHAPE = (64, 88, 1)  # the width of 84 padded to a multiple of 8
SETTINGS = {  # two steps: the way down with a coarse head, then the whole
    "filters": 16, "depth": 3, "dropout": 0.3, "epochs": [8, 24], "peak": 3e-3, "batch_size": 16, "seed": 0,
    "unchanged": 0.3,  # share of the scenes
    # Nearest neighbours: ink is every pixel that is not quite black, and a blur would move its outlines.
    "augment": {
        "rotation": 12.0, "zoom": 0.15, "shear": 8.0, "translation": 0.06, "interpolation": "nearest"
    },
}  # fmt: skip
WIDTH, DEPTH = SETTINGS["filters"], SETTINGS["depth"]
NETWORKS = {
    "unet": lambda: unet(SHAPE, K, filters=WIDTH, depth=DEPTH, batch_norm=True, dropout=SETTINGS["dropout"]),
    "segnet": lambda: segnet(SHAPE, K, filters=WIDTH, blocks=DEPTH),
}
ROWS = {"unet-cross-entropy": ("unet", "cross-entropy"), "unet-dice": ("unet", "Dice"),
        "segnet-dice": ("segnet", "Dice")}  # fmt: skip
LOSSES = {"cross-entropy": losses.CrossEntropy, "Dice": losses.Dice}
BOTTOM = {"unet": "bottom_b_relu", "segnet": f"pool{DEPTH}"}
# Maps on the way up, and their steps in pixels, that name digits by heads of their own while training: places
# alone carry no names past the bottom (lecture 09).
HEADS = {"unet": {}, "segnet": {"conv3_1_D_relu": 4, "conv2_1_D_relu": 2}}


class OfEveryHead(keras.losses.Loss):
    """A loss of logits (B, H, W, K), summed over several heads' logits (B, H, W, heads · K)."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def call(self, masks, logits):
        return sum(self.loss(masks, head) for head in keras.ops.split(logits, logits.shape[-1] // K, axis=-1))

    def get_config(self):
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}


def scenes(*splits):
    """Scenes padded to SHAPE with black background."""
    parts = [data.load("m2nist", split) for split in splits]
    border = ((0, 0), (0, SHAPE[0] - 64), (0, SHAPE[1] - 84))
    images = np.pad(np.concatenate([part.images for part in parts]), (*border, (0, 0)))
    masks = np.pad(np.concatenate([part.masks for part in parts]), border, constant_values=BACKGROUND)
    return replace(parts[0], images=images, masks=masks)


def train(model, part, step, loss, stride=1):
    """One of the two steps, on every `stride`th pixel of the masks; the last epoch stays."""
    change = data.augment(**SETTINGS["augment"], void=BACKGROUND)
    rng = np.random.default_rng(SETTINGS["seed"])

    def changed(image, mask):
        if rng.random() > SETTINGS["unchanged"]:
            image, mask = change(image, mask, np.random.default_rng(rng.integers(2**63))).values()
        return {"image": image, "mask": mask[stride // 2 :: stride, stride // 2 :: stride]}

    epochs, size = SETTINGS["epochs"][step], SETTINGS["batch_size"]
    rate = training.warmup_cosine(SETTINGS["peak"], part, epochs, batch_size=size)
    model.compile(keras.optimizers.Adam(rate), OfEveryHead(loss))
    batches = part.batches(size, shuffle=True, seed=SETTINGS["seed"], augment=changed)
    return training.fit(model, batches, epochs=epochs, seed=SETTINGS["seed"], monitor=None)["loss"]


def f1(model, part):
    """F1 of each digit over all pixels of a set."""
    ids = model.predict(part.images, batch_size=50, verbose=0).argmax(axis=-1)
    return metrics.scores(metrics.confusion_matrix(part.masks, ids, K)).f1[:BACKGROUND]


def study(name, fit=("train", "val"), score="test"):
    """Train one row in its two steps, and score it once."""
    network, loss = ROWS[name]
    keras.utils.set_random_seed(SETTINGS["seed"])
    model, part, start = NETWORKS[network](), scenes(*fit), time.perf_counter()
    bottom = model.get_layer(BOTTOM[model.name]).output
    bottom = bottom[0] if isinstance(bottom, (list, tuple)) else bottom
    head = keras.Model(model.input, layers.Conv2D(K, 1)(bottom), name="way_down")
    heads = [
        layers.UpSampling2D(stride)(layers.Conv2D(K, 1)(model.get_layer(name).output))
        for name, stride in HEADS[model.name].items()
    ]
    whole = keras.Model(model.input, layers.Concatenate()([model.output, *heads]) if heads else model.output)
    steps = [train(head, part, 0, losses.Sum([losses.CrossEntropy(), losses.Dice()]), 2**DEPTH)]
    steps.append(train(whole, part, 1, LOSSES[loss]()))
    scores = f1(model, scenes(score))
    return {
        "network": model.name, "loss": loss, "parameters": model.count_params(),
        "mean_f1": round(float(scores.mean()), 4), "f1": [round(float(s), 4) for s in scores],
        "losses": [[round(value, 4) for value in values] for values in steps],
        "minutes": round((time.perf_counter() - start) / 60), "settings": SETTINGS,
        "date": str(datetime.date.today()), "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        f"{keras.backend.backend()} {version(keras.backend.backend())}, Keras {keras.__version__}",
    }  # fmt: skip


def draw(rows):
    """The training losses of all rows, each in its own unit, as a picture beside the table."""
    figure, axis = plt.subplots(figsize=(7, 3.2))
    for (name, row), dash in zip(rows.items(), plots.DASHES, strict=False):
        _, whole = row["losses"]
        axis.plot(np.arange(1, len(whole) + 1), whole, dash, label=f"{name}: F1 on test {row['mean_f1']:.3f}")
    axis.set(xlabel="epoch (after the way down's own)", ylabel="training loss", yscale="log",
             title="M2NIST: three trainings on 3,500 scenes")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(FILE.with_suffix(".png"), dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    course_utils.setup(seed=0)
    choosing = "--choose" in sys.argv
    for name in [name for name in sys.argv[1:] if name != "--choose"] or ROWS:
        row = study(name, ("train",), "val") if choosing else study(name)
        print(name, row["mean_f1"], row["f1"], row["minutes"], "min", flush=True)
        if not choosing:
            kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
            kept[name] = row
            FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            draw(kept)
