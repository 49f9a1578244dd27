"""Profiles: how large a lecture runs. All sizes of all lectures stand in the one table below."""

import os
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import keras

NAMES = ("smoke", "cpu", "gpu")

# smoke: proves that every cell runs. cpu: what students get, two minutes on two cores; CI runs it.
# gpu: closer to the papers' sizes.
PRECISION = {"smoke": "float32", "cpu": "float32", "gpu": "mixed_float16"}

SIZES = {
    #                          smoke   cpu    gpu
    "00": {
        "scenes":             (    8,   64,    64),
    },
    "01": {
        "seeds":              (    1,    3,     5),  # trainings (or draws) behind every row of a table
        "toyvoc":             (   40,  400,   400),
        "filter_epochs":      (    1,   12,    12),
    },
    "02": {
        "seeds":              (    1,    3,     5),  # trainings behind every row of a table
        "linear_epochs":      (    1,  200,   200),
        "deep_epochs":        (    1,   40,   100),
        "photographs":        (   50,  600,  3000),
        "photograph_epochs":  (    1,   20,    20),
    },
    "03": {
        "filters":            (   16,   16,    32),
        "copies":             (    1,    5,     7),  # of every picture, moved and mirrored
        "epochs":             (    1,   12,    40),
        "short_epochs":       (    1,    6,    30),
    },
    "04": {
        "seeds":              (    1,    3,     5),
        "rbm_epochs":         (    1,   60,    60),
        "layer_epochs":       (    1,    6,    12),
        "label_epochs":       (    1,    6,    10),
        "label_seeds":        (    1,    5,     5),
        "control_seeds":      (    1,    3,     5),
        "plane_epochs":       (    1,  180,   180),
        "vae_epochs":         (    1,   45,   100),
        "gan_epochs":         (    1,   60,   150),
    },
    "05": {
        "seeds":                (    1,    3,     3),  # trainings behind a row, unless it says otherwise
        "remedy_seeds":         (    1,    1,     3),
        "epochs":               (    4,   20,    40),
        "copies":               (    4,    4,     4),  # changed copies of each window, with its mirror
        "pretrain_epochs":      (    1,    5,    30),
        "few_seeds":            (    1,    3,     5),
        "few_epochs":           (    1,    8,    20),
        "tune_epochs":          (    1,   10,    20),
        "drawn":                (   40, 1800, 10000),
        "drawn_epochs":         (    1,   10,    10),
        "autoencoder_epochs":   (    1,    4,    40),
        "head_epochs":          (    1,   10,    20),
    },
    "06": {
        "train":              (   64,  800,   800),
        "val":                (   40,  300,   300),
        "windows_a_scene":    (    2,    8,     8),
        "patch_epochs":       (    1,    4,     8),
        "timed":              (    4,   60,    60),  # scenes
        "drawn":              (   16, 1000,  4000),
        "epochs":             (    1,    4,    20),
        "seeds":              (    1,    3,     5),  # trainings of every head
        "head_epochs":        (    1,    2,     4),
    },
    "07": {
        "seeds":              (    1,    3,     5),  # trainings behind every row of the table
        "scenes":             (  100, 1200,  1200),
        "epochs":             (    1,    3,     3),  # more would hide what a loss does to a rare class
        "plateau_epochs":     (    2,   12,    12),
    },
    "08": {
        "scenes":             (   60, 1500,  1500),  # at most, of each part
        "filters":            (    8,   16,    32),
        "depth":              (    2,    2,     3),
        "peak":               ( 4e-3, 4e-3,  4e-3),  # learning rate
        "down_epochs":        (    1,    6,    10),
        "up_epochs":          (    1,    2,     3),
        "epochs":             (    1,    2,    20),
        "at_once_epochs":     (    1,    6,    25),
        "seeds":              (    1,    3,     5),  # trainings behind every row of a table
        "loss_seeds":         (    1,    1,     5),
        "cell_filters":       (    8,    8,    32),
        "cell_epochs":        (    1,   10,    40),
        "toyvoc":             (   40,  400,   800),
        "six_epochs":         (    1,    6,    10),
        "present_epochs":     (    1,    3,    10),
        "few_epochs":         (    1,   10,    40),
    },
    "09": {
        "train":              (  100, 1500,  1500),  # scenes
        "test":               (   40,  300,   300),
        "filters":            (    8,   16,    32),
        "copies":             (    1,    3,     9),  # changed copies of each training scene
        "peak":               ( 4e-3, 4e-3,  4e-3),  # learning rate
        "down_epochs":        (    1,    1,     2),
        "up_epochs":          (    1,    2,     4),
        "seeds":              (    1,    3,     5),  # trainings behind nothing, places and copies
        "control_seeds":      (    1,    1,     5),  # … and behind each of the two controls
    },
    "10": {
        "train":              (   16,  740,   740),
        "tune":               (    4,   60,    60),
        "val":                (    8,  300,   300),
        "seeds":              (    1,    3,     5),  # trainings behind every DeepLab
        "control_seeds":      (    1,    1,     5),  # … and behind every single branch of v2
        "fast_seeds":         (    1,    1,     3),
        "encoder_epochs":     (    1,   16,    60),
        "copies":             (    1,    2,     6),  # changed copies of each training scene
        "head_epochs":        (    1,    2,     6),
        "crf_scenes":         (    2,   40,   150),
        "crf_tune":           (    2,   12,    60),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """What this run is: `name` (smoke, cpu, gpu), `backend`, `device` and Keras `precision`.

    `profile["02"]` gives the sizes of lecture 02 as attributes, `profile["02"].linear_epochs`.
    `COURSE_SEEDS=1` cuts the trainings behind a row of a table to one, in every lecture.
    """

    name: str
    backend: str
    device: str
    precision: str

    def __getitem__(self, lecture):
        if lecture not in SIZES:
            raise KeyError(f"no sizes for lecture {lecture!r}; there are some for {', '.join(SIZES)}")
        column, most = NAMES.index(self.name), _most_seeds()
        sizes = {key: row[column] for key, row in SIZES[lecture].items()}
        return SimpleNamespace(**{k: min(v, most) if k.endswith("seeds") else v for k, v in sizes.items()})


def current():
    """The profile of this process, from `COURSE_PROFILE` or else from the hardware.

    Raises:
        ValueError: `COURSE_PROFILE` names no profile.
    """
    accelerators = _accelerators()
    name = os.environ.get("COURSE_PROFILE") or ("gpu" if accelerators else "cpu")
    if name not in NAMES:
        raise ValueError(f"COURSE_PROFILE={name}: no such profile; use {', '.join(NAMES)}, or unset it.")
    device = accelerators[0] if accelerators else f"CPU with {os.cpu_count()} cores"
    return Profile(name, keras.backend.backend(), device, PRECISION[name])


def _most_seeds():
    text = os.environ.get("COURSE_SEEDS") or str(sys.maxsize)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"COURSE_SEEDS={text}: give a whole number of trainings from 1 on, or unset it.")
    return int(text)


def _accelerators():
    """Accelerators that Keras would use, as strings such as "gpu:0"."""
    if keras.backend.backend() == "torch":  # keras.distribution does not know torch
        import torch

        if torch.backends.mps.is_available():  # what Keras would take first
            return ["mps:0"]
        return [f"gpu:{i}" for i in range(torch.cuda.device_count())]
    return [d for d in keras.distribution.list_devices() if not d.lower().startswith("cpu")]
