"""Make unet.npz, segnet.npz and fcn8s.npz: what plain torch networks give with the weights of `fill`.

Needs torch. Run:

    KERAS_BACKEND=torch python tests/golden/make_encoder_decoders.py
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from fill import fill, random
from torch import nn
from torch.nn import functional as F

from course_utils.models.fcn import fcn
from course_utils.models.segnet import segnet
from course_utils.models.unet import unet

VGG = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))    # width, convolutions


def conv(c_in, c_out, size=3, padding=1):
    return [nn.Conv2d(c_in, c_out, size, padding=padding), nn.ReLU()]


def conv_norm(c_in, c_out):
    return [nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU()]


class UNet(nn.Module):
    """Ronneberger et al. 2015, figure 1."""

    def __init__(self, c_in, classes, width, depth, padding):
        super().__init__()
        widths = [c_in] + [width * 2**i for i in range(depth + 1)]
        self.down = nn.ModuleList(
            nn.Sequential(*conv(a, b, padding=padding), *conv(b, b, padding=padding))
            for a, b in pairwise(widths)
        )
        self.up = nn.ModuleList()
        for b in reversed(widths[1:-1]):
            self.up.append(nn.ConvTranspose2d(2 * b, b, 2, 2))
            self.up.append(nn.Sequential(*conv(2 * b, b, padding=padding), *conv(b, b, padding=padding)))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        skips.pop()
        for up, block in zip(self.up[::2], self.up[1::2], strict=True):
            x, skip = up(x), skips.pop()
            top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
            skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            x = block(torch.cat([skip, x], 1))
        return self.head(x)


class SegNet(nn.Module):
    """Badrinarayanan et al. 2017, figure 2, with torch's own pooling indices."""

    def __init__(self, classes, width):
        super().__init__()
        shapes, c = [], 3
        for multiple, count in VGG:
            shapes.append([(c if i == 0 else width * multiple, width * multiple) for i in range(count)])
            c = width * multiple
        self.encoder = nn.ModuleList(
            nn.Sequential(*(layer for shape in block for layer in conv_norm(*shape))) for block in shapes
        )
        self.decoder = nn.ModuleList()
        for number, block in reversed(list(enumerate(shapes))):
            mirrored = [(b, a) for a, b in reversed(block)]
            stack = [layer for shape in mirrored[: None if number else -1] for layer in conv_norm(*shape)]
            stack += [] if number else [nn.Conv2d(width, classes, 3, padding=1)]
            self.decoder.append(nn.Sequential(*stack))

    def forward(self, x):
        indices = []
        for block in self.encoder:
            x, index = F.max_pool2d(block(x), 2, return_indices=True)
            indices.append(index)
        for block, index in zip(self.decoder, reversed(indices), strict=True):
            x = block(F.max_unpool2d(x, index, 2))
        return x, indices


class FCN8s(nn.Module):
    """Long et al. 2015, figure 3."""

    def __init__(self, classes, width, dense, learned):
        super().__init__()
        self.blocks, c = nn.ModuleList(), 3
        for multiple, count in VGG:
            stack = []
            for _ in range(count):
                stack += conv(c, width * multiple)
                c = width * multiple
            self.blocks.append(nn.Sequential(*stack))
        self.dense = nn.Sequential(*conv(c, dense, 7, 3), *conv(dense, dense, 1, 0))
        self.score = nn.Conv2d(dense, classes, 1)
        self.up, self.scores = nn.ModuleList(), nn.ModuleList()
        for multiple in (8, 4):
            self.scores.append(nn.Conv2d(width * multiple, classes, 1))
        for f in (2, 2, 8):
            self.up.append(
                nn.ConvTranspose2d(classes, classes, 2 * f, f, f // 2, bias=False) if learned
                else nn.Upsample(scale_factor=f, mode="bilinear", align_corners=False)
            )  # fmt: skip

    def forward(self, x):
        pools = []
        for block in self.blocks:
            x = F.max_pool2d(block(x), 2)
            pools.append(x)
        x = self.score(self.dense(x))
        x = self.up[0](x) + self.scores[0](pools[3])
        x = self.up[1](x) + self.scores[1](pools[2])
        return self.up[2](x)


def port(model, twin, order):
    """Copy weights layer by layer; `order` names the Keras layers in the order of the twin's."""
    theirs = [m for m in twin.modules() if next(m.parameters(False), None) is not None]
    assert len(theirs) == len(order), (len(theirs), len(order))
    for name, module in zip(order, theirs, strict=True):
        weights = [torch.tensor(w) for w in model.get_layer(name).get_weights()]
        if isinstance(module, nn.BatchNorm2d):
            targets = [module.weight, module.bias, module.running_mean, module.running_var]
        else:
            targets = [t for t in (module.weight, module.bias) if t is not None]
            weights[0] = weights[0].permute(3, 2, 0, 1)
        for target, weight in zip(targets, weights, strict=True):
            target.data.copy_(weight)
    return twin.eval()


def weighted(model):
    """The names of all layers with weights, in the order of the model."""
    return [layer.name for layer in model.layers if layer.weights]


def compare(name, model, twin, order, inputs):
    """The twin's output, after a look that ours is the same."""
    twin = port(fill(model, gain=2**0.5), twin, order)
    with torch.no_grad():
        theirs = twin(torch.tensor(inputs).permute(0, 3, 1, 2))
        blank = twin(torch.zeros(inputs.shape).permute(0, 3, 1, 2))
    theirs, *indices = theirs if isinstance(theirs, tuple) else (theirs,)
    blank = blank[0] if isinstance(blank, tuple) else blank
    assert float((theirs - blank).std()) > 0.05, "the output does not depend on the input"
    theirs = theirs.permute(0, 2, 3, 1).numpy()
    difference = np.abs(model.predict(inputs, verbose=0) - theirs).max()
    print(f"{name}: {theirs.shape}, std {theirs.std():.3f}, largest difference {difference:.1e}")
    assert theirs.std() > 0.05
    assert difference < 1e-4
    return theirs, indices[0] if indices else None


def within_windows(index, width):
    """Torch counts over the whole plane, of this width; we count within the 2×2 window."""
    index = index.permute(0, 2, 3, 1).numpy()
    return (2 * (index // width % 2) + index % 2).astype("uint8")


def save(name, **arrays):
    np.savez_compressed(Path(__file__).with_name(f"{name}.npz"), **arrays)


def make_unet():
    results = {}
    for padding, side in (("same", 16), ("valid", 52)):
        model = unet((side, side, 2), 3, filters=4, depth=2, padding=padding)
        twin = UNet(2, 3, 4, 2, padding=int(padding == "same"))
        inputs = random((2, side, side, 2), 1)
        results[padding], _ = compare(f"unet {padding}", model, twin, weighted(model), inputs)
    save("unet", **results)


def make_segnet():
    model = segnet((32, 64, 3), 2, filters=4)
    inputs = random((1, 32, 64, 3), 2)
    logits, indices = compare("segnet", model, SegNet(2, 4), weighted(model), inputs)
    indices = {f"pool{i + 1}": within_windows(index, 64 >> i) for i, index in enumerate(indices)}
    save("segnet", logits=logits, **indices)


def make_fcn8s():
    results = {}
    for name, learned in (("bilinear", False), ("learned", True)):
        model = fcn((32, 64, 3), 2, filters=4, dense=16, learned_upsampling=learned)
        order = [n for n in weighted(model) if n.startswith(("conv", "fc")) and "transpose" not in n]
        order += ["score_fc7"]
        order += [n for n in weighted(model) if "transpose" in n or n == "logits"]
        order += ["score_pool4", "score_pool3"]
        twin = FCN8s(2, 4, 16, learned)
        results[name], _ = compare(f"fcn8s {name}", model, twin, order, random((1, 32, 64, 3), 3))
    save("fcn8s", **results)


if __name__ == "__main__":
    make_unet()
    make_segnet()
    make_fcn8s()
