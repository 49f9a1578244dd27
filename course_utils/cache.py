"""Trainings on disk: one file each, named by everything that determines the result.

A file is written after every epoch, so that an interrupted training goes on where it stopped, and a
finished one need not be repeated. Its name ends in a digest of network, initial weights, data, losses,
optimizer, callbacks, epochs, seed, profile, back-end, library versions and the course's own code: change
one of them and it is another file. A folder of such files can be shared.
"""

import ast
import hashlib
import importlib.metadata
import inspect
import json
import os
import re
import tempfile
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np

from course_utils import profiles
from course_utils.data import Batches, LazyArray, augment

# Callbacks that only steer. Any other one looks on, and has to see every epoch.
STEERING = ("EarlyStopping", "ReduceLROnPlateau", "TerminateOnNaN")
# What of the course's code a training runs through, besides the classes that its configuration names.
CODE = (
    "data/augmentation.py", "data/segmentation.py", "layers/*.py", "losses.py", "mask_set.py", "matching.py",
    "metrics.py", "training.py",
)  # fmt: skip


class NotCacheable(Exception):
    """Something determines the training that cannot be told from another of its kind."""


def folder():
    """Where trained weights are kept: `COURSE_CACHE`, else a folder beside Keras's own files."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return Path(os.environ.get("COURSE_CACHE") or home / "segmentation_course")


def file_for(model, callbacks=(), **ingredients):
    """The file of a training: `<name>-<digest>.npz` in `folder()`.

    Args:
        model: a compiled `keras.Model`, not yet trained.
        callbacks: list of Keras callbacks.
        ingredients: everything else that determines the result: batches of data, plain values.

    Raises:
        NotCacheable: of one of them no digest can tell whether it has changed.
    """
    if not model.built:
        raise NotCacheable(f"{model.name} has no weights yet")
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    everything = {
        "network": _network(model),
        "weights": _digest(values([*model.variables, *model.optimizer.variables])),
        "compile": _plain(_written_down(model.get_compile_config, model), {}),
        "callbacks": [_steering(callback) for callback in callbacks],
        "profile": profiles.current().name,
        "versions": _versions(),
        "code": _code(type(model)),
        **{name: _described(value) for name, value in ingredients.items()},
    }
    text = json.dumps(everything, sort_keys=True, default=str)
    name = re.sub(r"\W+", "_", re.sub(r"_\d+$", "", model.name))
    return folder() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:20]}.npz"


# --- reading and writing --------------------------------------------------------------------------


def values(variables):
    """Values of Keras variables, a list of arrays."""
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assign(variables, arrays):
    """Give Keras variables these values."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def save(path, arrays, state):
    """Write lists of arrays and a JSON state into one file, whole or not at all."""
    packed = {f"{name}_{i}": a for name, group in arrays.items() for i, a in enumerate(group)}
    packed["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            np.savez(file, **packed)
        temporary.replace(path)
    except OSError as error:
        warnings.warn(f"{path}: cannot be written ({error}); this training is not kept.", stacklevel=2)
        if temporary:
            temporary.unlink(missing_ok=True)


def load(path):
    """What `save` wrote, (arrays, state), or None where there is no such file or it is broken."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(file["state"].tobytes())
            arrays = {}
            for name in file.files:
                if name != "state":
                    group, _, i = name.rpartition("_")
                    arrays.setdefault(group, {})[int(i)] = file[name]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        warnings.warn(f"{path}: is broken ({error}); training anew.", stacklevel=2)
        return None
    return {group: [members[i] for i in range(len(members))] for group, members in arrays.items()}, state


# --- what determines a training -------------------------------------------------------------------


def _network(model):
    """Architecture, and which layers train; the numbers in layers' names say only what was built before."""
    config = _written_down(model.get_config, model)
    layers = list(model._flatten_layers())
    numbers = {}
    for layer in layers:
        numbers.setdefault(layer.name, f"#{len(numbers)}")
    return [_plain(config, numbers), [layer.trainable for layer in layers], type(model).__name__]


def _written_down(get_config, model):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about lambdas, which `_plain` refuses
            return get_config()
    except (NotImplementedError, OSError, TypeError, ValueError):
        raise NotCacheable(f"{model.name} cannot be written down") from None


def _plain(config, numbers):
    """A configuration with its layers renamed, and none of code that is not Keras's or the course's."""
    if isinstance(config, dict):
        module = config.get("module")
        foreign = module and module.partition(".")[0] not in ("keras", "course_utils")
        if foreign or config.get("class_name") == "__lambda__":
            raise NotCacheable(f"{config['class_name']} is neither Keras's nor the course's")
        plain = {key: _plain(value, numbers) for key, value in config.items()}
        if "name" in plain and plain["name"] not in numbers.values():
            plain["name"] = re.sub(r"_\d+$", "", str(plain["name"]))
        return plain
    if isinstance(config, (list, tuple)):
        return [_plain(value, numbers) for value in config]
    return numbers.get(config, config) if isinstance(config, str) else config


def _steering(callback):
    kind = type(callback)
    if kind.__name__ not in STEERING or kind.__module__.partition(".")[0] != "keras":
        raise NotCacheable(f"the callback {kind.__name__} has to see the training")
    if getattr(callback, "restore_best_weights", False):
        raise NotCacheable("weights that the callback has seen are not kept; `monitor` does the same")
    plain = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in vars(callback).items()
        if value is None or isinstance(value, (bool, int, float, str, np.generic))
    }
    return [kind.__name__, plain]


def _described(value):
    """Batches of data by their contents; a plain value as it is."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if not isinstance(value, Batches):
        raise NotCacheable(f"a {type(value).__name__} does not tell what is in it")
    if not (value.augment is None or isinstance(value.augment, augment)):
        raise NotCacheable("somebody else's augmentation")
    arrays = keras.tree.flatten(value.arrays)
    return [value.batch_size, value.shuffle, value.seed, repr(value.augment), _digest(arrays)]


def _digest(arrays):
    """SHA-256 over arrays: types, shapes and contents, or those of the files behind them."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        if isinstance(array, LazyArray):
            for path in array.sources:
                digest.update(Path(path).read_bytes())
        else:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _versions():
    backend = keras.backend.backend()
    return [backend, *(f"{name} {importlib.metadata.version(name)}" for name in ("keras", backend, "numpy"))]


def _code(kind):
    """The course's own code behind a training, without its comments and docstrings."""
    root = Path(__file__).parent
    files = [path for pattern in CODE for path in sorted(root.glob(pattern))]
    if kind.__module__.startswith("course_utils"):
        files.append(Path(inspect.getsourcefile(kind)))
    return [_bare(path.read_text(encoding="utf-8")) for path in files]


def _bare(source):
    tree = ast.parse(source)
    for node in ast.walk(tree):
        documented = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body[0].value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
