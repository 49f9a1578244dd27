"""Each network in a size that trains in seconds; what goes into it."""

from functools import partial

import numpy as np
from fill import random

from course_utils import models
from course_utils.models.resnet import resnet_features

SHAPE = (48, 48, 1)


def segmenter(build, shape=SHAPE, **sizes):
    return build, {"input_shape": shape, "num_classes": 11, **sizes}


def classifier(build, shape, **sizes):
    return build, {"input_shape": shape, "num_classes": 10, **sizes}


def small_encoder(x):
    """Feature maps at strides 2, 4 and 8."""
    return resnet_features(x, depth=18, filters=8)[:3]


def generator(**sizes):
    """Of the two players the one that makes pictures; a GAN as a whole has no output that is fixed."""
    return models.gan(**sizes).generator


CLASSIFIERS = {
    "lenet5": classifier(models.lenet5, (32, 32, 1)),
    "alexnet": classifier(models.alexnet, (67, 67, 3), filters=24, dense=128),
    "vgg16": classifier(models.vgg16, (64, 64, 3), filters=4, dense=128, batch_norm=True),
    "googlenet": classifier(models.googlenet, (64, 64, 3), filters=16),
    "resnet18": classifier(partial(models.resnet, depth=18), (32, 32, 3), filters=4),
    "resnet50": classifier(partial(models.resnet, depth=50), (64, 64, 3), filters=4),
    "plain18": classifier(partial(models.resnet, depth=18, shortcuts=False), (32, 32, 3), filters=4),
    "vit": classifier(models.vit, (32, 32, 3), patch_size=8, dim=16, depth=2, num_heads=2, mlp_dim=32),
}
ATROUS = {"filters": 8, "aspp_filters": 32, "rates": (1, 2, 3)}
SEGMENTERS = {
    "fcn32s": segmenter(partial(models.fcn, stride=32), (64, 64, 1), filters=8, dense=64, batch_norm=True),
    "fcn8s": segmenter(
        models.fcn, (64, 64, 1), filters=8, dense=64, dropout=0.0, batch_norm=True, learned_upsampling=True
    ),
    "unet": segmenter(models.unet, filters=16, depth=3, batch_norm=True),
    "unet_resnet": segmenter(models.unet, (64, 64, 1), filters=8, encoder="resnet18", batch_norm=True),
    "segnet": segmenter(models.segnet, filters=16, blocks=3),
    "deconvnet": segmenter(models.deconvnet, filters=16, dense=64, blocks=3, window=6),
    "deeplab_v1": segmenter(models.deeplab_v1, filters=8, fc_filters=64, rate=2, batch_norm=True),
    "deeplab_v2": segmenter(models.deeplab_v2, filters=8, fc_filters=64, rates=(1, 2, 3), batch_norm=True),
    "deeplab_v3": segmenter(models.deeplab_v3, output_stride=8, **ATROUS),
    "deeplab_v3plus": segmenter(models.deeplab_v3plus, low_level_filters=16, **ATROUS),
    "fast_scnn": segmenter(models.fast_scnn, (64, 64, 1), filters=16),
    "attention_autoencoder": segmenter(models.attention_autoencoder, filters=16),
    "segformer": segmenter(
        models.segformer, (64, 64, 1), dims=(16, 32, 64, 64), depths=(1, 1, 1, 1), heads=(1, 2, 4, 8)
    ),
    "maskformer": segmenter(
        models.maskformer, encoder=small_encoder, queries=12, decoder_layers=2, dim=32, num_heads=4,
        feed_forward=64, dropout=0.0,
    ),
}
AUTOENCODERS = {
    "linear_autoencoder": (models.linear_autoencoder, {"input_shape": (8, 8, 1), "code": 4}),
    "conv_autoencoder": (models.conv_autoencoder, {"input_shape": (16, 16, 3), "code": 8, "filters": 4}),
    "inception_autoencoder": (
        models.inception_autoencoder, {"input_shape": (16, 16, 3), "code": 8, "filters": 16}
    ),
    "sparse_autoencoder": (models.sparse_autoencoder, {"input_shape": (16, 16, 3), "code": 8, "filters": 4}),
    "denoising_autoencoder": (
        models.denoising_autoencoder, {"input_shape": (16, 16, 3), "code": 8, "filters": 4}
    ),
    "stacked_autoencoder": (
        models.stacked_autoencoder, {"input_shape": (8, 8, 1), "code": 4, "hidden": (32, 16)}
    ),
    "variational_autoencoder": (
        models.variational_autoencoder, {"input_shape": (8, 8, 1), "code": 2, "units": 16}
    ),
    "conditional_autoencoder": (
        models.variational_autoencoder,
        {"input_shape": (8, 8, 1), "code": 2, "units": 16, "num_classes": 10},
    ),
    "gan": (generator, {"input_shape": (8, 8, 1), "num_classes": 10, "code": 4, "units": 16}),
}  # fmt: skip


# What learns four scenes by heart: sizes, data set, side of the pictures, learning rate. A network whose
# last features have stride 8 needs pictures so large that outlines fit its grid.
BY_HEART = {
    "fcn": (SEGMENTERS["fcn8s"], "digits", 64, 1e-2),
    "unet": (SEGMENTERS["unet"], "digits", 48, 1e-2),
    "segnet": (SEGMENTERS["segnet"], "digits", 48, 1e-2),
    "deconvnet": (SEGMENTERS["deconvnet"], "digits", 48, 1e-2),
    "deeplab_v1": (
        segmenter(models.deeplab_v1, filters=8, fc_filters=64, rate=4, dropout=0.0, batch_norm=True),
        "toyvoc", 192, 3e-3,
    ),
    "deeplab_v2": (
        segmenter(models.deeplab_v2, encoder="resnet18", filters=8, rates=(1, 2)), "toyvoc", 192, 5e-3,
    ),
    "deeplab_v3": (
        segmenter(models.deeplab_v3, depth=18, output_stride=8, dropout=0.0, **ATROUS),
        "toyvoc", 192, 5e-3,
    ),
    "deeplab_v3plus": (
        segmenter(models.deeplab_v3plus, encoder="resnet18", dropout=0.0, **ATROUS), "toyvoc", 128, 5e-3,
    ),
    "fast_scnn": (
        segmenter(models.fast_scnn, filters=32, expansion=3, dropout=0.0), "toyvoc", 192, 1e-2,
    ),
    "attention_autoencoder": (SEGMENTERS["attention_autoencoder"], "digits", 48, 5e-3),
    "segformer": (SEGMENTERS["segformer"], "toyvoc", 128, 3e-3),
    "maskformer": (SEGMENTERS["maskformer"], "digits", 48, 1e-3),
}  # fmt: skip


def pictures(model):
    """Four random pictures in [0, 1] of the size that a model takes, and labels where it takes them."""
    shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
    inputs = [
        np.arange(4) if len(shape) == 1 else 1 / (1 + np.exp(-random((4, *shape[1:]), seed=i)))
        for i, shape in enumerate(shapes)
    ]
    return inputs if len(inputs) > 1 else inputs[0]
