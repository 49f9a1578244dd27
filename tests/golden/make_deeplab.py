"""Writes deeplab_v3.npz and deeplab_v3plus.npz: the networks in plain torch, with our weights.

    pip install torch transformers
    KERAS_BACKEND=torch python tests/golden/make_deeplab.py

A module's path here is our layer's name: `conv2_1.a.norm` is `conv2_1_a_norm`.
"""

import torch
from fill import fill, random
from make_resnet import copy, store
from torch import nn
from torch.nn.functional import interpolate, max_pool2d

from course_utils.models.deeplab_v3 import deeplab_v3
from course_utils.models.deeplab_v3plus import deeplab_v3plus


class Unit(nn.Module):
    """Convolution, batch normalization, ReLU."""

    def __init__(self, channels, filters, size=1, stride=1, dilation=1, separable=False, relu=True):
        super().__init__()
        window = {"stride": stride, "padding": dilation * (size // 2), "dilation": dilation, "bias": False}
        if separable:
            self.conv = nn.Sequential(
                nn.Conv2d(channels, channels, size, groups=channels, **window),
                nn.Conv2d(channels, filters, 1, bias=False),
            )
        else:
            self.conv = nn.Conv2d(channels, filters, size, **window)
        self.norm, self.relu = nn.BatchNorm2d(filters), relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return x.relu() if self.relu else x


class Bottleneck(nn.Module):
    def __init__(self, channels, filters, stride, dilation):
        super().__init__()
        self.a = Unit(channels, filters)
        self.b = Unit(filters, filters, 3, stride, dilation)
        self.c = Unit(filters, 4 * filters, relu=False)
        if channels != 4 * filters:
            self.shortcut = Unit(channels, 4 * filters, 1, stride, relu=False)

    def forward(self, x):
        return (self.c(self.b(self.a(x))) + (self.shortcut(x) if hasattr(self, "shortcut") else x)).relu()


class Pyramid(nn.Module):
    def __init__(self, channels, filters, rates, separable):
        super().__init__()
        self.pointwise = Unit(channels, filters)
        self.atrous = nn.ModuleDict({
            str(rate): Unit(channels, filters, 3, dilation=rate, separable=separable) for rate in rates
        })
        self.image = Unit(channels, filters)
        self.projection = Unit((2 + len(rates)) * filters, filters)

    def forward(self, x):
        branches = [self.pointwise(x), *(branch(x) for branch in self.atrous.values())]
        image = self.image(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
        return self.projection(torch.cat([*branches, image], 1))


class DeepLab(nn.Module):
    """v3, or v3+ with decoder=True; `blocks` lists (name, channels, filters, stride, dilation)."""

    def __init__(self, blocks, filters, classes, rates, aspp, decoder):
        super().__init__()
        self.conv1 = Unit(3, filters, 7, 2)
        self.blocks = [name for name, *_ in blocks]
        for name, *sizes in blocks:
            self.add_module(name, Bottleneck(*sizes))
        self.aspp = Pyramid(32 * filters, aspp, rates, separable=decoder)
        if decoder:
            self.low_level = Unit(4 * filters, 6)
            self.decoder_1 = Unit(aspp + 6, aspp, 3, separable=True)
            self.decoder_2 = Unit(aspp, aspp, 3, separable=True)
        else:
            self.head = Unit(aspp, aspp, 3)
        self.logits = nn.Conv2d(aspp, classes, 1)
        self.decoder = decoder

    def forward(self, pictures):
        x = max_pool2d(self.conv1(pictures), 3, 2, 1)
        for name in self.blocks:
            x = self.get_submodule(name)(x)
            if name == "conv2_3":
                low = x
        x = self.aspp(x)
        if self.decoder:
            x = interpolate(x, low.shape[2:], mode="bilinear")
            x = self.decoder_2(self.decoder_1(torch.cat([x, self.low_level(low)], 1)))
        else:
            x = self.head(x)
        return interpolate(self.logits(x), pictures.shape[2:], mode="bilinear")


def resnet50(filters, strides, dilations):
    """Its blocks, with a stride for each stage and a dilation for each stage or block."""
    channels = filters
    for stage, (count, stride, dilation) in enumerate(zip((3, 4, 6, 3), strides, dilations, strict=True)):
        width = filters * 2**stage
        for block in range(count):
            rate = dilation if isinstance(dilation, int) else dilation[block]
            yield f"conv{stage + 2}_{block + 1}", channels, width, stride if block == 0 else 1, rate
            channels = 4 * width


def port(model, reference):
    """Every layer with weights, by name."""
    layers = {layer.name: layer for layer in model.layers if layer.weights and layer.name != "aspp"}
    aspp = model.get_layer("aspp")
    for branch in (aspp.pointwise, *aspp.atrous, aspp.image, aspp.projection):
        layers[f"aspp_{branch.name}"], layers[f"aspp_{branch.name}_norm"], _ = branch.layers
    modules = {
        path.replace(".", "_").removesuffix("_conv"): module
        for path, module in reference.named_modules() if path
        if not isinstance(module, (Unit, Bottleneck, Pyramid))
    }
    for name, layer in layers.items():
        copy(layer, modules[name])
    assert model.count_params() == sum(x.numel() for x in reference.state_dict().values() if x.ndim)


if __name__ == "__main__":
    inputs = 3 * random((2, 64, 48, 3), seed=3)
    small = {"filters": 4, "aspp_filters": 8, "rates": (1, 2, 3)}

    model = fill(deeplab_v3((64, 48, 3), 5, output_stride=8, **small), seed=4)
    blocks = list(resnet50(4, strides=(1, 2, 1, 1), dilations=(1, 1, (1, 2, 2, 2, 2, 2), (4, 8, 16))))
    reference = DeepLab(blocks, 4, 5, rates=(2, 4, 6), aspp=8, decoder=False).eval()
    port(model, reference)
    store("deeplab_v3", model, reference, inputs)

    model = fill(deeplab_v3plus((64, 48, 3), 5, low_level_filters=6, **small), seed=5)
    blocks = list(resnet50(4, strides=(1, 2, 2, 1), dilations=(1, 1, 1, (2, 4, 8))))
    reference = DeepLab(blocks, 4, 5, rates=(1, 2, 3), aspp=8, decoder=True).eval()
    port(model, reference)
    store("deeplab_v3plus", model, reference, inputs)
