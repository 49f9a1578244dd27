"""Profiles: how large a lecture runs. All sizes of all lectures stand in the one table below."""

import os
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
    "02": {
        "seeds":              (    1,    3,     5),  # trainings behind every row of a table
        "linear_epochs":      (    1,  200,   200),
        "deep_epochs":        (    1,   40,   100),
        "photographs":        (   50,  600,  3000),
        "photograph_epochs":  (    1,   20,    20),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """What this run is: `name` (smoke, cpu, gpu), `backend`, `device` and Keras `precision`.

    `profile["02"]` gives the sizes of lecture 02 as attributes, `profile["02"].linear_epochs`.
    """

    name: str
    backend: str
    device: str
    precision: str

    def __getitem__(self, lecture):
        if lecture not in SIZES:
            raise KeyError(f"no sizes for lecture {lecture!r}; there are some for {', '.join(SIZES)}")
        column = NAMES.index(self.name)
        return SimpleNamespace(**{key: row[column] for key, row in SIZES[lecture].items()})


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


def _accelerators():
    """Accelerators that Keras would use, as strings such as "gpu:0"."""
    if keras.backend.backend() == "torch":  # keras.distribution does not know torch
        import torch

        if torch.backends.mps.is_available():  # what Keras would take first
            return ["mps:0"]
        return [f"gpu:{i}" for i in range(torch.cuda.device_count())]
    return [d for d in keras.distribution.list_devices() if not d.lower().startswith("cpu")]
