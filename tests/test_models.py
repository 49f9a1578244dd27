"""All networks: size, calling convention, training, saving, equal numbers on every back-end."""

import ast
import re
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from fill import fill
from keras import ops
from small_models import AUTOENCODERS, BY_HEART, CLASSIFIERS, SEGMENTERS, pictures

from course_utils import data, losses, metrics, models
from course_utils.receptive_field import receptive_field

ROOT = Path(__file__).parents[1]
GOLDEN = np.load(ROOT / "tests" / "golden" / "models.npz")
EVERY = {**CLASSIFIERS, **SEGMENTERS, **AUTOENCODERS}
slow = pytest.mark.slow
every_network = pytest.mark.parametrize("name", EVERY)


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


# --- at paper size --------------------------------------------------------------------------------

# Trainable parameters as published, or as the references named in the course's data have them.
PAPER = {
    "lenet5": (models.lenet5, {}, 61_706),
    "alexnet": (models.alexnet, {}, 62_378_344),
    "vgg16": (models.vgg16, {}, 138_357_544),
    "googlenet": (models.googlenet, {}, 6_998_552),
    "resnet18": (models.resnet, {"depth": 18}, 11_689_512),
    "resnet50": (models.resnet, {"depth": 50}, 25_557_032),
    "unet, 1 → 2": (models.unet, {"input_shape": (512, 512, 1), "num_classes": 2}, 31_030_658),
    "unet, 3 → 1": (models.unet, {"input_shape": (512, 512, 3), "num_classes": 1}, 31_031_745),
    "unet, 3 → 21": (models.unet, {"input_shape": (512, 512, 3), "num_classes": 21}, 31_033_045),
    "segnet, 11": (models.segnet, {"num_classes": 11}, 29_449_355),
    "segnet, 12": (models.segnet, {"num_classes": 12}, 29_449_932),
    "fcn32s": (models.fcn, {"stride": 32}, 134_346_581),
    "fcn16s": (models.fcn, {"stride": 16}, 134_357_354),
    "fcn8s": (models.fcn, {"stride": 8}, 134_362_751),
    "fcn32s, learned": (models.fcn, {"stride": 32, "learned_upsampling": True}, 136_152_917),
    "fcn16s, learned": (models.fcn, {"stride": 16, "learned_upsampling": True}, 134_815_994),
    "fcn8s, learned": (models.fcn, {"stride": 8, "learned_upsampling": True}, 134_489_759),
    "deeplab_v1": (models.deeplab_v1, {}, 20_505_429),
    "deeplab_v2": (models.deeplab_v2, {}, 37_877_652),
    "deeplab_v3": (models.deeplab_v3, {}, 39_638_869),
    "deeplab_v3plus": (models.deeplab_v3plus, {}, 26_682_725),
    "fast_scnn": (models.fast_scnn, {}, 1_138_051),
    "vit": (models.vit, {}, 86_567_656),
    "segformer b0": (models.segformer, {"variant": "b0"}, 3_752_694),
    "segformer b1": (models.segformer, {"variant": "b1"}, 13_715_798),
    "segformer b2": (models.segformer, {"variant": "b2"}, 27_461_974),
    "segformer b5": (models.segformer, {"variant": "b5"}, 84_708_694),
    "maskformer": (models.maskformer, {}, 41_307_863),
}
once = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the same on every back-end")


@slow
@once
@pytest.mark.parametrize("name", PAPER)
def test_the_default_is_the_papers_size(name):
    build, arguments, parameters = PAPER[name]
    assert trainable(build(**arguments)) == parameters


@slow
@pytest.mark.parametrize(
    ("build", "layer", "expected"),
    [
        (partial(models.vgg16, filters=2, dense=4), "pool5", (212, 32)),
        (partial(models.vgg16, filters=2, dense=4), "fc6", (404, 32)),
        (partial(models.alexnet, filters=24, dense=4), "pool5", (195, 32)),
        (partial(models.resnet, depth=18, filters=2), "conv5_2_out", (435, 32)),
        (partial(models.resnet, depth=50, filters=2), "conv5_3_out", (427, 32)),
        (partial(models.unet, filters=2), "bottom_b", (140, 16)),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_receptive_fields_are_the_published_ones(build, layer, expected):
    table = {name: (size, stride) for name, size, stride in receptive_field(build())}
    assert table[layer] == expected


# --- how they are written -------------------------------------------------------------------------

FILES = [p for folder in ("models", "layers") for p in (ROOT / "course_utils" / folder).glob("*.py")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_function_is_longer_than_25_lines(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node) is not None
            first = node.body[0].end_lineno + 1 if documented else node.lineno
            assert node.end_lineno - first + 1 <= 25, node.name


def test_each_network_has_its_file_and_a_docstring_with_its_source():
    for name in models.__all__:
        function = getattr(models, name)
        assert function.__doc__ and "Returns:" in function.__doc__
        if name == "pretrain_layers":
            continue
        assert function.__module__ == f"course_utils.models.{name}"
        if name != "attention_autoencoder":  # the course's own
            assert re.search(r"(19|20)\d\d", sys.modules[function.__module__].__doc__), name


# --- in small -------------------------------------------------------------------------------------


def small(name, **changes):
    keras.utils.set_random_seed(0)
    build, arguments = EVERY[name]
    return build(**{**arguments, **changes})


def outputs(model, x):
    """A model's output as an array, of MaskFormer the logits."""
    if keras.backend.backend() == "jax":  # which compiles the whole sooner than each operation by itself
        y = model.predict_on_batch(x)
    else:
        y = model([ops.convert_to_tensor(part) for part in x] if isinstance(x, list) else x, training=False)
    return ops.convert_to_numpy(y["logits"] if isinstance(y, dict) else y)


def targets(name, model):
    """Random targets of the right kind, four of them."""
    rng = np.random.default_rng(0)
    if name in AUTOENCODERS:
        return rng.uniform(size=(4, *model.output_shape[1:]))
    if name in CLASSIFIERS:
        return rng.integers(0, 10, 4)
    masks = np.repeat(np.repeat(rng.integers(0, 5, (4, 2, 2)), 32, 1), 32, 2)
    masks[:, ::7] = 255
    height, width = model.input_shape[1:3]
    return masks[:, :height, :width]


def compiled(name, model):
    loss = "mse" if name in AUTOENCODERS else losses.CrossEntropy()
    if name in CLASSIFIERS:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if name == "maskformer":
        loss = losses.MaskSet(11)
    eager = keras.backend.backend() == "tensorflow"  # where compiling takes longer than a few steps
    model.compile(keras.optimizers.Adam(1e-3), loss=loss, run_eagerly=eager)
    return model


@every_network
def test_the_same_weights_give_the_same_numbers_on_every_back_end(name):
    model = fill(small(name), gain=2**0.5)
    found = outputs(model, pictures(model)).ravel()
    expected = GOLDEN[name]
    difference = np.abs(found[:: -(-found.size // len(expected))] - expected).max()
    assert difference < 1e-4 * max(1, expected.std())


@slow
@every_network
def test_networks_survive_save_and_load(name, tmp_path):
    model = small(name)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = pictures(model)
    np.testing.assert_allclose(outputs(again, x), outputs(model, x), atol=1e-6)


@slow
@pytest.mark.parametrize("name", SEGMENTERS)
def test_logits_have_the_height_and_width_of_the_pictures(name):
    height, width, channels = small(name).input_shape[1:]
    for size in ((height, width), (2 * height, 3 * width)):
        model = small(name, input_shape=(*size, channels))
        assert outputs(model, pictures(model)).shape == (4, *size, 11)


@slow
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_logits_have_one_number_a_class(name):
    height, width, channels = small(name).input_shape[1:]
    for size in ((height, width), (2 * height, 2 * width)):
        model = small(name, input_shape=(*size, channels))
        assert outputs(model, pictures(model)).shape == (4, 10)


@slow
@pytest.mark.parametrize("name", [name for name in AUTOENCODERS if name != "gan"])
def test_pictures_come_back_in_their_size(name):
    shape = EVERY[name][1]["input_shape"]
    for size in (shape, (2 * shape[0], 2 * shape[1], shape[2])):
        model = small(name, input_shape=size)
        assert outputs(model, pictures(model)).shape == (4, *size)


@slow
@every_network
@pytest.mark.parametrize("precision", ["float32", pytest.param("mixed_float16", marks=once)])
def test_a_training_step_lowers_the_loss(name, precision):
    keras.config.set_dtype_policy(precision)
    try:
        model = compiled(name, small(name))
    finally:
        keras.config.set_dtype_policy("float32")
    x, y = pictures(model), targets(name, model)
    # Half precision skips steps until it has found a scale for the gradients, and dropout makes noise.
    values = [float(np.ravel(model.train_on_batch(x, y))[0])]
    while len(values) < 15 and min(values) == values[0]:
        values.append(float(np.ravel(model.train_on_batch(x, y))[0]))
    assert np.isfinite(values).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert min(values) < values[0]


@slow
@once
@pytest.mark.parametrize("name", BY_HEART)
def test_segmenters_learn_four_scenes_by_heart(name):
    (build, arguments), data_set, side, rate = BY_HEART[name]
    scenes = data.load(data_set, size=side, limit=4)
    shape, classes = scenes.images.shape[1:], scenes.num_classes
    keras.utils.set_random_seed(0)
    model = build(**{**arguments, "input_shape": shape, "num_classes": classes})
    loss, clipnorm = losses.CrossEntropy(), None
    if name == "maskformer":
        loss, clipnorm = losses.MaskSet(classes), 1.0  # a new matching may make for a large step
    model.compile(keras.optimizers.Adam(rate, clipnorm=clipnorm), loss)
    for steps in range(25, 301, 25):
        model.fit(scenes.batches(4), epochs=25, verbose=0)
        prediction = outputs(model, scenes.images).argmax(-1)
        score = metrics.scores(metrics.confusion_matrix(scenes.masks, prediction, classes)).mean_iou
        print(f"{name}: mean IoU {score:.3f} after {steps} steps")
        if score > 0.95:
            return
    raise AssertionError(f"mean IoU {score:.3f} after {steps} steps")
