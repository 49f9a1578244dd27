"""Writes maskformer.npz and mask_set.npz: the network, and its matching and loss, as transformers has them.

    pip install scipy torch transformers
    KERAS_BACKEND=torch python tests/golden/make_maskformer.py

Weights and inputs are made anew from their seeds by the tests; only the results are stored.
"""

from pathlib import Path

import numpy as np
import torch
import transformers
from maskformer_cases import CLASSES, LAYERS, SMALL, ids, network, predictions, segments, thinned
from torch.nn.functional import interpolate
from transformers.models.maskformer.modeling_maskformer import (
    MaskFormerHungarianMatcher,
    MaskFormerLoss,
    pair_wise_dice_loss,
    pair_wise_sigmoid_focal_loss,
)

from course_utils.models.maskformer import maskformer

WEIGHTS = {"loss_cross_entropy": 1.0, "loss_mask": 20.0, "loss_dice": 1.0}
PIXELS, DECODER = "model.pixel_level_module.", "model.transformer_module."
RESNET, FPN = f"{PIXELS}encoder.", f"{PIXELS}decoder."


# --- the network ----------------------------------------------------------------------------------


def reference():
    """The same small network in transformers, with random weights."""
    stages = [f"stage{i}" for i in (1, 2, 3, 4)]
    backbone = transformers.ResNetConfig(
        embedding_size=SMALL["filters"], hidden_sizes=[SMALL["filters"] * 2**i for i in range(4)],
        depths=[2, 2, 2, 2], layer_type="basic", out_features=stages,
    )  # fmt: skip
    decoder = transformers.DetrConfig(
        d_model=SMALL["dim"], decoder_layers=SMALL["decoder_layers"], num_queries=SMALL["queries"],
        decoder_attention_heads=SMALL["num_heads"], decoder_ffn_dim=SMALL["feed_forward"],
        use_timm_backbone=False, backbone_config=transformers.ResNetConfig(),
    )  # fmt: skip
    config = transformers.MaskFormerConfig(
        fpn_feature_size=SMALL["dim"], mask_feature_size=SMALL["dim"], num_labels=5,
        backbone_config=backbone, decoder_config=decoder,
    )  # fmt: skip
    return transformers.MaskFormerForInstanceSegmentation(config).eval()


def resnet_names():
    """Pairs of a layer's name here and in transformers, normalization following its convolution."""
    yield "conv1", f"{RESNET}embedder.embedder.convolution"
    yield "conv1_norm", f"{RESNET}embedder.embedder.normalization"
    for stage in range(4):
        for block in range(2):
            ours, theirs = f"conv{stage + 2}_{block + 1}", f"{RESNET}encoder.stages.{stage}.layers.{block}"
            parts = {"a": "layer.0", "b": "layer.1"}
            if stage and not block:
                parts["shortcut"] = "shortcut"
            for part, path in parts.items():
                yield f"{ours}_{part}", f"{theirs}.{path}.convolution"
                yield f"{ours}_{part}_norm", f"{theirs}.{path}.normalization"


def other_names():
    """The same for all that is not ResNet."""
    blocks = {"pixel_decoder4": "stem"}
    for i in range(3):
        blocks |= {f"lateral{3 - i}": f"layers.{i}.proj", f"pixel_decoder{3 - i}": f"layers.{i}.block"}
    for ours, theirs in blocks.items():
        yield ours, f"{FPN}fpn.{theirs}.0"
        yield f"{ours}_norm", f"{FPN}fpn.{theirs}.1"
    yield "pixel_embedding", f"{FPN}mask_projection"
    yield "queries", f"{DECODER}queries_embedder"
    yield "input_projection", f"{DECODER}input_projection"
    for i in range(SMALL["decoder_layers"]):
        ours, theirs = f"decoder{i + 1}_", f"{DECODER}decoder.layers.{i}."
        parts = {
            "self_attention": "self_attn", "self_attention_norm": "self_attn_layer_norm",
            "cross_attention": "encoder_attn", "cross_attention_norm": "encoder_attn_layer_norm",
            "hidden": "mlp.fc1", "out": "mlp.fc2", "feed_forward_norm": "final_layer_norm",
        }  # fmt: skip
        yield from ((ours + part, theirs + path) for part, path in parts.items())
    yield "decoder_norm", f"{DECODER}decoder.layernorm"
    yield "class_head", "class_predictor"
    yield from ((f"mask_embedding{i + 1}", f"mask_embedder.{i}.0") for i in range(3))


def port(model, twin):
    """Copy all weights of our model into transformers', whose state must then be complete."""
    state = {key: value for key, value in twin.state_dict().items() if key.startswith("criterion")}
    for ours, theirs in (*resnet_names(), *other_names()):
        weights = model.get_layer(ours).get_weights()
        if "attention" in ours and len(weights) == 8:
            size = SMALL["dim"]
            for i, projection in enumerate(("q_proj", "k_proj", "v_proj", "o_proj")):
                state[f"{theirs}.{projection}.weight"] = weights[2 * i].reshape(size, size).T
                state[f"{theirs}.{projection}.bias"] = weights[2 * i + 1].reshape(size)
            continue
        if ours != "queries" and weights[0].ndim > 1:
            weights[0] = weights[0].transpose(3, 2, 0, 1) if weights[0].ndim == 4 else weights[0].T
        kinds = ("weight", "bias", "running_mean", "running_var")
        state |= {f"{theirs}.{kind}": value for kind, value in zip(kinds, weights, strict=False)}
    counters = {key: value for key, value in twin.state_dict().items() if "num_batches" in key}
    twin.load_state_dict({key: torch.as_tensor(value) for key, value in (state | counters).items()})


@torch.no_grad()
def outputs_of(twin, pictures):
    """What our network returns, computed with transformers' parts."""
    raw = []
    for layer in twin.model.transformer_module.decoder.layers:
        layer.register_forward_hook(lambda module, inputs, output: raw.append(output))
    result = twin(torch.tensor(np.moveaxis(pictures, -1, 1)))
    # As in the authors' code: one normalization for what leaves each layer, and none between layers.
    states = torch.stack([twin.model.transformer_module.decoder.layernorm(x) for x in raw], dim=1)
    classes = twin.class_predictor(states)
    pixels = result.pixel_decoder_last_hidden_state
    masks = torch.einsum("blnc,bchw->blnhw", twin.mask_embedder(states), pixels)
    torch.testing.assert_close(masks[:, -1], result.masks_queries_logits)
    torch.testing.assert_close(classes[:, -1], result.class_queries_logits)
    large = interpolate(masks[:, -1], size=pictures.shape[1:3], mode="bilinear", align_corners=False)
    scores = torch.einsum("bnhw,bnk->bhwk", large.sigmoid(), classes[:, -1].softmax(-1)[..., :-1])
    return {
        "logits": scores.log(),
        "class_logits": classes[:, -1],
        "mask_logits": masks[:, -1],
        "auxiliary_class_logits": classes[:, :-1],
        "auxiliary_mask_logits": masks[:, :-1],
    }


def compare_network():
    model, pictures = network(maskformer)
    twin = reference()
    port(model, twin)
    theirs = thinned(outputs_of(twin, pictures))
    for name, value in thinned(model.predict(pictures, verbose=0)).items():
        print(name, value.shape, "std", value.std(), "difference", abs(value - theirs[name]).max())
        assert value.std() > 0.05
        assert abs(value[0] - value[1]).max() > 0.05
        np.testing.assert_allclose(value, theirs[name], atol=1e-4)
    return theirs


# --- matching and loss ----------------------------------------------------------------------------


def matching_and_loss(kind):
    """Costs and indices of the last layer, and all losses."""
    class_logits, mask_logits = map(torch.tensor, predictions())
    found = [segments(picture) for picture in ids(kind == "instances")]
    masks, classes = ([torch.tensor(x) for x in part] for part in zip(*found, strict=True))
    matcher = MaskFormerHungarianMatcher(cost_class=1.0, cost_mask=20.0, cost_dice=1.0)
    last = mask_logits[:, -1], class_logits[:, -1]
    for b, (rows, columns) in enumerate(matcher(*last, masks, classes)):
        small = interpolate(masks[b][:, None], size=mask_logits.shape[-2:], mode="nearest").flatten(1)
        yield f"{kind}_rows_{b}", rows[columns.argsort()]
        yield f"{kind}_focal_{b}", pair_wise_sigmoid_focal_loss(last[0][b].flatten(1), small)
        yield f"{kind}_dice_{b}", pair_wise_dice_loss(last[0][b].flatten(1), small)
    loss = MaskFormerLoss(CLASSES, matcher, WEIGHTS, eos_coef=0.1)
    earlier = [
        {"masks_queries_logits": mask_logits[:, i], "class_queries_logits": class_logits[:, i]}
        for i in range(LAYERS - 1)
    ]
    losses = loss(*last, masks, classes, earlier)
    yield from ((f"{kind}_{name}", value) for name, value in losses.items())
    yield f"{kind}_total", sum(w * v for k, w in WEIGHTS.items() for name, v in losses.items() if k in name)


if __name__ == "__main__":
    folder = Path(__file__).parent
    np.savez_compressed(folder / "maskformer.npz", **compare_network())
    pairs = (pair for kind in ("classes", "instances") for pair in matching_and_loss(kind))
    results = {name: np.asarray(value) for name, value in pairs}
    np.savez_compressed(folder / "mask_set.npz", **results)
    print({name: (value.shape, value.dtype.name) for name, value in results.items()})
