"""Writes vit.npz and segformer.npz: the logits of the networks in transformers, with our weights.

    pip install torch transformers
    KERAS_BACKEND=torch python tests/golden/make_attention.py

transformers leaves its SegFormer's logits at a quarter of the size; the upsampling is torch's. It joins the
decoder's four feature maps from the last to the first, ours from the first to the last.
"""

import numpy as np
import torch
from fill import fill, random
from make_resnet import copy, store
from torch.nn.functional import interpolate
from transformers import (
    SegformerConfig,
    SegformerForSemanticSegmentation,
    ViTConfig,
    ViTForImageClassification,
)

from course_utils.models.segformer import segformer
from course_utils.models.vit import vit


def copy_attention(layer, module):
    """Keras's (dim, heads, size) and (heads, size, dim) to torch's matrices."""
    weights = [np.asarray(variable.detach()) for variable in (v.value for v in layer.weights)]
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    for name, kernel, bias in zip(names, weights[::2], weights[1::2], strict=True):
        linear = getattr(module, name)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(kernel.reshape(linear.in_features, -1).T.copy()))
            linear.bias.copy_(torch.tensor(bias.flatten()))


def port_vit(model, reference):
    patches, embeddings = model.get_layer("patches"), reference.vit.embeddings
    projection = patches.projection.kernel.value.detach()                 # (p·p·C, dim)
    convolution = embeddings.patch_embeddings.projection.weight           # (dim, C, p, p)
    dim, channels, p, _ = convolution.shape
    with torch.no_grad():
        convolution.copy_(projection.reshape(p, p, channels, dim).permute(3, 2, 0, 1))
        embeddings.patch_embeddings.projection.bias.copy_(patches.projection.bias.value)
        embeddings.cls_token.copy_(patches.token.value)
        embeddings.position_embeddings.copy_(patches.places.value)
    for i, module in enumerate(reference.vit.layers):
        block = model.get_layer(f"block{i + 1}")
        copy(block.norm1, module.layernorm_before)
        copy_attention(block.attention, module.attention)
        copy(block.norm2, module.layernorm_after)
        copy(block.hidden, module.mlp.fc1)
        copy(block.project, module.mlp.fc2)
    copy(model.get_layer("norm"), reference.vit.layernorm)
    copy(model.get_layer("logits"), reference.classifier)


def port_segformer(model, reference):
    for i, stage in enumerate(reference.segformer.stages, start=1):
        copy(model.get_layer(f"stage{i}_patches"), stage.patch_embeddings.proj)
        copy(model.get_layer(f"stage{i}_patches_norm"), stage.patch_embeddings.layer_norm)
        for j, module in enumerate(stage.blocks, start=1):
            port_block(model, f"stage{i}_{j}", module)
        copy(model.get_layer(f"stage{i}_norm"), stage.layer_norm)
    decoder = reference.decode_head
    for i, module in enumerate(decoder.linear_projections, start=1):
        copy(model.get_layer(f"decode{i}"), module.proj)
    copy(model.get_layer("fuse"), decoder.linear_fuse)
    with torch.no_grad():
        decoder.linear_fuse.weight.copy_(torch.cat(decoder.linear_fuse.weight.chunk(4, 1)[::-1], 1))
    copy(model.get_layer("fuse_norm"), decoder.batch_norm)
    copy(model.get_layer("logits"), decoder.classifier)


def port_block(model, name, module):
    attention = model.get_layer(f"{name}_attention")
    if attention.reduction > 1:
        copy(attention.reduce, module.attention.sequence_reduction.sequence_reduction)
        copy(attention.norm, module.attention.sequence_reduction.layer_norm)
    copy_attention(attention.attention, module.attention)
    for ours, theirs in (
        ("norm1", module.layernorm_before),
        ("norm2", module.layernorm_after),
        ("ffn_expand", module.mlp.fc1),
        ("ffn_mix", module.mlp.dwconv.dwconv),
        ("ffn_project", module.mlp.fc2),
    ):
        copy(model.get_layer(f"{name}_{ours}"), theirs)


def make_vit():
    model = fill(vit((32, 24, 3), 7, patch_size=8, dim=16, depth=2, num_heads=4, mlp_dim=32), seed=1)
    config = ViTConfig(
        image_size=(32, 24), patch_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=32, num_labels=7,
    )  # fmt: skip
    reference = ViTForImageClassification(config).eval()
    port_vit(model, reference)
    store("vit", model, lambda x: reference(x).logits, random((4, 32, 24, 3), seed=2))


def make_segformer():
    dims, depths = (8, 16, 20, 32), (1, 2, 1, 1)
    model = fill(segformer((64, 96, 3), 5, dims=dims, depths=depths, decoder_dim=24), seed=1)
    config = SegformerConfig(hidden_sizes=dims, depths=depths, decoder_hidden_size=24, num_labels=5)
    reference = SegformerForSemanticSegmentation(config).eval()
    port_segformer(model, reference)

    def logits(x):
        return interpolate(reference(x).logits, x.shape[2:], mode="bilinear")

    store("segformer", model, logits, random((2, 64, 96, 3), seed=2))


if __name__ == "__main__":
    make_vit()
    make_segformer()
