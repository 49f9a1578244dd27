"""Writes resnet50.npz: the logits of ResNet-50 in transformers, with our weights.

    pip install torch transformers
    KERAS_BACKEND=torch python tests/golden/make_resnet.py
"""

from pathlib import Path

import numpy as np
import torch
from fill import fill, random
from transformers import ResNetConfig, ResNetForImageClassification

from course_utils.models.resnet import resnet


def copy(layer, module):
    """Give a torch module the weights of a Keras layer."""
    tensors = [*module.parameters(), *(buffer for buffer in module.buffers() if buffer.ndim)]
    for variable, tensor in zip(layer.weights, tensors, strict=True):
        value = variable.detach().numpy() if hasattr(variable, "detach") else np.asarray(variable.numpy())
        if value.ndim == 4:                                                # (h, w, I, O) to (O, I, h, w)
            depthwise = "depthwise" in variable.name                       # (h, w, C, 1) to (C, 1, h, w)
            value = value.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        elif value.ndim == 2:
            value = value.T
        with torch.no_grad():
            tensor.copy_(torch.tensor(np.ascontiguousarray(value)).reshape(tensor.shape))


def store(name, model, reference, inputs):
    """Write the reference's output, if it is ours too and says something about its input."""
    with torch.no_grad():
        expected = reference(torch.tensor(inputs.transpose(0, 3, 1, 2))).numpy()
    if expected.ndim == 4:
        expected = expected.transpose(0, 2, 3, 1)[:, ::3, ::3]             # a ninth says as much
    output = model.predict(inputs, verbose=0)
    difference = np.abs((output[:, ::3, ::3] if output.ndim == 4 else output) - expected).max()
    assert difference < 1e-4, difference
    spread = (expected - expected.mean(tuple(range(expected.ndim - 1)))).std()     # within each channel
    assert spread > 0.05, spread
    np.savez_compressed(Path(__file__).with_name(f"{name}.npz"), expected.astype("float32"))
    print(f"{name}: {expected.shape}, spread {spread:.3f}, largest difference {difference:.1e}")


def port(model, reference):
    """Layer by layer, ours to transformers'."""
    def copy_conv(name, module):
        copy(model.get_layer(name), module.convolution)
        copy(model.get_layer(f"{name}_norm"), module.normalization)

    copy_conv("conv1", reference.resnet.embedder.embedder)
    for i, stage in enumerate(reference.resnet.encoder.stages):
        for j, block in enumerate(stage.layers):
            name = f"conv{i + 2}_{j + 1}"
            for part, module in zip("abc", block.layer, strict=True):
                copy_conv(f"{name}_{part}", module)
            if not isinstance(block.shortcut, torch.nn.Identity):
                copy_conv(f"{name}_shortcut", block.shortcut)
    copy(model.get_layer("logits"), reference.classifier[1])


if __name__ == "__main__":
    model = fill(resnet((64, 48, 3), 7, depth=50, filters=4), seed=1)
    config = ResNetConfig(
        embedding_size=4, hidden_sizes=[16, 32, 64, 128], depths=[3, 4, 6, 3], layer_type="bottleneck",
        num_labels=7,
    )  # fmt: skip
    reference = ResNetForImageClassification(config).eval()
    port(model, reference)
    store("resnet50", model, lambda x: reference(x).logits, 3 * random((2, 64, 48, 3), seed=2))
