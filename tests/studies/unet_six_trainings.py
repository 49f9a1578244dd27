"""Study of lecture 08: six trainings of one U-Net, from which the lecture's table is read.

    python tests/studies/unet_six_trainings.py toyvoc
    COURSE_DATA_DIR=… python tests/studies/unet_six_trainings.py voc2012

Foreground against background at 64×64, the settings of a student project on VOC 2009. Every training is
made anew for each of three seeds on the train list and scored on the val list after its last epoch; nothing
is chosen by a score. On VOC three further rows try what may help: changed copies, and weights from toyvoc.
Writes data/studies/six_trainings_NAME.json; toyvoc takes a quarter of an hour on two cores. The smoke
profile takes forty pictures and one epoch a row, to see that the script runs, and prints its table only.
"""

import datetime
import functools
import json
import os
import platform
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

import course_utils
from course_utils import data, losses, metrics, training
from course_utils.models.unet import unet

FOLDER = Path(__file__).parents[2] / "data" / "studies"
SIX = {  # epochs, optimizer, loss, batch normalization and dropout; the project's foreground Dice and IoU
    "1": (10, "RMSprop", "cross-entropy", False, 0.50, 0.34),
    "2": (10, "Adam", "cross-entropy", False, 0.54, 0.38),
    "3": (30, "Adam", "cross-entropy", False, 0.60, 0.45),
    "4": (10, "Adam", "Dice", False, 0.63, 0.48),
    "5": (10, "Adam", "Dice", True, 0.64, 0.49),
    "6": (30, "Adam", "Dice", True, 0.62, 0.48),
}
HELPS = {  # further rows with the settings of row 6: changed copies, weights from toyvoc
    "6 + changed copies": (True, False),
    "6 + weights from toyvoc": (False, True),
    "6 + both": (True, True),
}
SETTINGS = {
    "size": 64, "filters": 8, "depth": 4, "batch_size": 32, "learning_rate": 1e-3, "dropout": 0.5,
    "toyvoc_pictures": 400,  # of each part, for a study of a quarter of an hour
    "augment": {"flip": True, "zoom": 0.2, "rotation": 10.0, "colour": 0.2}, "seeds": [0, 1, 2],
}  # fmt: skip
COLUMNS = ("epochs", "optimizer", "loss", "batch_norm_and_dropout")
SIX_COLUMNS = (*COLUMNS, "project_dice", "project_iou")


def foreground(name, split, limit):
    """The pictures with two classes only: background 0, any object 1; void stays void."""
    limit = SETTINGS["toyvoc_pictures"] if limit is None and name == "toyvoc" else limit
    part = data.load(name, split, size=SETTINGS["size"], limit=limit)
    masks = np.asarray(part.masks)
    masks = np.where(masks == part.void, part.void, masks > 0).astype("uint8")
    return replace(part, images=np.asarray(part.images), masks=masks, class_names=("background", "object"))


def trained(part, epochs, optimizer, loss, regularized, seed, changed=False, weights=None):
    """A U-Net trained with the settings of a row; the weights of the last epoch."""
    keras.utils.set_random_seed(seed)
    size = SETTINGS["size"]
    model = unet(
        (size, size, 3), 2, filters=SETTINGS["filters"], depth=SETTINGS["depth"],
        batch_norm=regularized, dropout=SETTINGS["dropout"] if regularized else 0.0,
    )  # fmt: skip
    if weights:
        model.set_weights(weights)
    loss = {"cross-entropy": losses.CrossEntropy, "Dice": losses.Dice}[loss]()
    model.compile(getattr(keras.optimizers, optimizer)(SETTINGS["learning_rate"]), loss)
    change = data.augment(**SETTINGS["augment"]) if changed else None
    batches = part.batches(SETTINGS["batch_size"], shuffle=True, seed=seed, augment=change)
    training.fit(model, batches, epochs=epochs, seed=seed, monitor=None, progress=False)
    return model


def score(model, part):
    """Foreground Dice and IoU over all pixels of a set."""
    ids = model.predict(part.images, verbose=0).argmax(axis=-1)
    scores = metrics.scores(metrics.confusion_matrix(part.masks, ids, 2))
    return float(scores.f1[1]), float(scores.iou[1])


def table(name, limit=None, one_epoch=False):
    """The rows of a data set's table, in the order of SIX and HELPS."""

    @functools.cache
    def weights_from_toyvoc(seed):
        """Of a network trained with the settings of row 6."""
        epochs, *settings = SIX["6"][:4]
        part = foreground("toyvoc", "train", limit)
        return trained(part, 1 if one_epoch else epochs, *settings, seed).get_weights()

    train, held_out = foreground(name, "train", limit), foreground(name, "val", limit)
    rows = {key: dict(zip(SIX_COLUMNS, row, strict=True)) for key, row in SIX.items()}
    if name != "toyvoc":
        row_6 = dict(zip(COLUMNS, SIX["6"], strict=False))
        for key, (changed, pretrained) in HELPS.items():
            rows[key] = row_6 | {"changed": changed, "pretrained": pretrained}
    for key, row in rows.items():
        epochs, *settings = (row[column] for column in COLUMNS)
        row |= {"dice": [], "iou": [], "train_dice": [], "cpu_seconds": []}
        for seed in SETTINGS["seeds"]:
            weights = weights_from_toyvoc(seed) if row.get("pretrained") else None
            start = time.process_time()
            model = trained(train, 1 if one_epoch else epochs, *settings, seed, row.get("changed"), weights)
            dice, iou = score(model, held_out)
            row["dice"].append(round(dice, 4))
            row["iou"].append(round(iou, 4))
            row["train_dice"].append(round(score(model, train)[0], 4))
            row["cpu_seconds"].append(round(time.process_time() - start))
            print(key, "seed", seed, row["dice"][-1], row["iou"][-1], flush=True)
    share = [round(float(np.mean(part.masks[part.masks != part.void])), 4) for part in (train, held_out)]
    return {"pictures": [len(train), len(held_out)], "foreground": share, "rows": rows}


def main(name):
    smoke = course_utils.setup(seed=0).name == "smoke"
    result = table(name, 40 if smoke else None, smoke)
    if smoke:
        print(json.dumps(result, indent=1))
        return
    backend = keras.backend.backend()
    facts = {
        "command": f"python tests/studies/unet_six_trainings.py {name}", "date": str(datetime.date.today()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {backend} {version(backend)}, "
        f"Keras {keras.__version__}", "settings": SETTINGS,
    }  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"six_trainings_{name}.json"
    file.write_text(json.dumps(facts | result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name one data set, toyvoc or voc2012: python tests/studies/unet_six_trainings.py toyvoc")
    main(sys.argv[1])
