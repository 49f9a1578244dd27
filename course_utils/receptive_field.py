"""How much of the picture one number in a network depends on: by calculation, and by its gradient."""

import math
from fractions import Fraction

import keras
import numpy as np
from keras import layers, ops

from course_utils.layers.upsampling import PixelShuffle2D, ResizeLike

_WHOLE = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D, layers.Flatten)
_WINDOWS = (
    layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.MaxPooling2D,
    layers.AveragePooling2D,
)  # fmt: skip
_POINTWISE = (
    layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax,
    layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.Rescaling,
    layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.Dense, layers.Identity,
    layers.ZeroPadding2D, layers.Cropping2D, layers.Add, layers.Subtract, layers.Multiply, layers.Average,
    layers.Maximum, layers.Concatenate, layers.InputLayer,
)  # fmt: skip


def receptive_field(model_or_layers):
    """Side of the square of input pixels that one output of each layer depends on, and its stride.

    A window of k pixels, dilated by d, on a map of stride j widens the field by (k - 1) d j (Araujo,
    Norris & Sim 2019, section 2). Where paths meet, the widest counts.

    Args:
        model_or_layers: a functional or sequential `keras.Model`, or a list of layers in a row. A layer
            of the course's own or a student's may say what it does by an attribute `window`:
            (kernel size, stride), or None for the whole picture.

    Returns:
        List of (layer's name, size, stride), both in input pixels; size is `math.inf` where the whole
        picture counts and its size is not known.

    Raises:
        ValueError: a layer whose window is not known.
    """
    if isinstance(model_or_layers, (list, tuple)):
        table, state = [], (1, Fraction(1))
        for layer in model_or_layers:
            state = _through(layer, [state], None)
            table.append((layer.name, state))
    else:
        table = _walk(model_or_layers, (1, Fraction(1)))
    return [(name, _plain(size), _plain(stride)) for name, (size, stride) in table]


def _walk(model, start):
    """(name, state) of every layer of a model, in the order of calculation."""
    if isinstance(model, keras.Sequential):
        table, state = [], start
        for layer in model.layers:
            state = _through(layer, [state], layer.input.shape)
            table.append((layer.name, state))
        return table
    states, table, operations = {}, [], {op.name: op for op in model.operations}
    for entry in model.get_config()["layers"]:
        layer = operations[entry["name"]]
        for call, node in enumerate(entry["inbound_nodes"] or [{"args": ()}]):
            tensors = list(_tensors(node["args"]))
            inputs = [states[tuple(t["keras_history"][:2])] for t in tensors] or [start]
            state = _through(layer, inputs, tensors[0]["shape"] if tensors else None)
            states[layer.name, call] = state
            table.append((layer.name, state))
    return table


def _tensors(structure):
    """All tensors in a functional model's config, which nests them in lists and dicts."""
    if isinstance(structure, dict):
        if structure.get("class_name") == "__keras_tensor__":
            yield structure["config"]
            return
        structure = structure.values()
    if not isinstance(structure, str) and hasattr(structure, "__iter__"):
        for item in structure:
            yield from _tensors(item)


def _through(layer, inputs, shape):
    """Size and stride behind a layer, from those of its inputs; `shape` is the first input's."""
    size, stride = max(inputs)
    if isinstance(layer, keras.Model):
        return _walk(layer, (size, stride))[-1][1]
    if isinstance(layer, ResizeLike):                       # bilinear: between two neighbours
        return inputs[0][0] + inputs[0][1], inputs[1][1]
    if isinstance(layer, _WHOLE) or getattr(layer, "window", ()) is None:
        sides = [None] if shape is None else shape[1:3]
        return size + (max(sides) - 1) * stride if all(sides) else math.inf, stride
    window, step = _window(layer)
    return size + (window - 1) * stride, stride * step


def _window(layer):
    """How many neighbouring inputs an output depends on, and how many inputs lie between two outputs."""
    if isinstance(layer, _POINTWISE):
        return 1, Fraction(1)
    if hasattr(layer, "window"):
        return layer.window
    if isinstance(layer, layers.Conv2DTranspose):
        kernel, stride = max(layer.kernel_size), layer.strides[0]
        return -(-kernel // stride), Fraction(1, stride)
    if isinstance(layer, layers.UpSampling2D):
        return 1 if layer.interpolation == "nearest" else 2, Fraction(1, layer.size[0])
    if isinstance(layer, PixelShuffle2D):
        return 1, Fraction(1, layer.scale)
    if isinstance(layer, _WINDOWS):
        kernel = layer.pool_size if hasattr(layer, "pool_size") else layer.kernel_size
        dilation = getattr(layer, "dilation_rate", (1, 1))
        return 1 + (max(kernel) - 1) * max(dilation), Fraction(layer.strides[0])
    raise ValueError(
        f"the window of {layer.name!r}, a {type(layer).__name__}, is not known; give the layer an attribute "
        "window = (kernel size, stride), or None for the whole picture."
    )


def _plain(number):
    return int(number) if number % 1 == 0 else float(number)


def effective_receptive_field(model, image):
    """How strongly the output in the middle depends on each input pixel (Luo et al. 2016, section 3).

    Args:
        model: from pictures (B, H, W, C) to a map (B, h, w, K).
        image: float (H, W, C), or (B, H, W, C) for the mean over pictures.

    Returns:
        float32 (H, W) array: |gradient| of the middle output's channels, summed, by each pixel, summed over
        its channels; the strongest is 1.

    Raises:
        ValueError: the model gives no map, or the middle does not depend on the picture at all.
    """
    images = np.asarray(image, "float32")
    images = images[None] if images.ndim == 3 else images

    def middle(x):
        output = model(x, training=False)
        if len(output.shape) != 4:
            raise ValueError(f"{model.name} gives {tuple(output.shape)}, not a map (B, h, w, K).")
        height, width = ops.shape(output)[1:3]
        return ops.sum(output[:, height // 2, width // 2])

    strength = np.abs(gradient(middle, images)).sum(-1).mean(0)
    if not strength.max() > 0:
        raise ValueError(f"the middle output of {model.name} does not change with this picture.")
    return (strength / strength.max()).astype("float32")


def gradient(function, x):
    """How a number changes with an array, on any back-end: an array like x.

    Args:
        function: from a tensor to a tensor with one number.
        x: float array.
    """
    x = ops.convert_to_tensor(x)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x).numpy()
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    x.requires_grad_(True)
    function(x).backward()
    return x.grad.cpu().numpy()
