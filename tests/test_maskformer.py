"""MaskFormer, its targets, costs and loss: by hand, against transformers, and where it gets difficult."""

from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops
from maskformer_cases import CLASSES, ids, network, predictions, segments, thinned

from course_utils import mask_set
from course_utils.layers.queries import AddSinePositions2D, Queries
from course_utils.mask_set import MaskSet, Targets, distinct, find_targets, pair_losses, pairwise_costs
from course_utils.matching import hungarian
from course_utils.metrics import MeanIoU
from course_utils.models.maskformer import maskformer

GOLDEN = Path(__file__).with_name("golden")
TINY = {
    "queries": 5, "decoder_layers": 2, "dim": 16, "num_heads": 2, "feed_forward": 16, "dropout": 0.0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _compile_matching_once(monkeypatch):
    """Outside of compiled functions JAX compiles a loop anew whenever it meets it."""
    if keras.backend.backend() == "jax":
        monkeypatch.setattr(mask_set, "hungarian", _jitted())


@cache
def _jitted():
    import jax

    return jax.jit(hungarian)


def pyramid(x):
    """An encoder for small pictures: strides 2 and 4."""
    fine = layers.Conv2D(8, 3, 2, "same", activation="relu", name="stride2")(x)
    return [fine, layers.Conv2D(16, 3, 2, "same", activation="relu", name="stride4")(fine)]


def tiny(input_shape=(16, 16, 1), num_classes=3, **sizes):
    return maskformer(input_shape, num_classes, encoder=pyramid, **{**TINY, **sizes})


def batch(size=16):
    """Four pictures of squares on the ground, and their masks, with some void."""
    images = np.random.RandomState(0).uniform(0, 0.1, (4, size, size, 1))
    masks = np.zeros((4, size, size), "uint8")
    for i in range(4):
        masks[i, 2 + i : 9 + i, 3:10] = 1 + i % 2
        images[i] += 0.4 * masks[i, ..., None]
    masks[:, :2, :2] = 255
    return images.astype("float32"), masks


def tensor(array, dtype="float32"):
    return ops.convert_to_tensor(np.asarray(array, dtype))


def numpy(*arrays):
    return [ops.convert_to_numpy(array) for array in arrays]


def y_pred(class_logits, mask_logits):
    """A dict as the network returns it, from all layers' logits."""
    layers = {"class_logits": class_logits, "mask_logits": mask_logits}
    earlier = {f"auxiliary_{kind}": tensor(x[:, :-1]) for kind, x in layers.items()}
    return {kind: tensor(x[:, -1]) for kind, x in layers.items()} | earlier


def slopes(function, arrays):
    """The value of a function of arrays, and its gradients."""
    tensors = [tensor(array) for array in arrays]
    if keras.backend.backend() == "jax":
        import jax

        value, gradients = jax.value_and_grad(lambda args: function(*args))(tensors)
    elif keras.backend.backend() == "torch":
        tensors = [t.detach().clone().requires_grad_() for t in tensors]
        value = function(*tensors)
        value.backward()
        gradients = [t.grad for t in tensors]
        value = value.detach()
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        gradients = tape.gradient(value, tensors)
    return numpy(value, *gradients)


# --- layers ---------------------------------------------------------------------------------------


def test_queries_are_the_same_for_every_picture():
    layer = Queries(3)
    first, second = numpy(layer(tensor(np.zeros((2, 4, 5, 8)))))[0]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, layer.get_weights()[0])
    assert first.shape == (3, 8)


def test_positions_are_sines_and_cosines_of_row_and_column():
    code = numpy(AddSinePositions2D()(tensor(np.zeros((1, 2, 4, 8)))))[0][0]
    for row in range(2):
        for column in range(4):
            y, x = 2 * np.pi * (row + 1) / 2, 2 * np.pi * (column + 1) / 4
            by_hand = [f(t / slow) for t in (y, x) for slow in (1, 100) for f in (np.sin, np.cos)]
            np.testing.assert_allclose(code[row, column], by_hand, atol=1e-5)


def test_positions_are_added():
    x = np.random.RandomState(0).normal(size=(2, 3, 5, 4))
    layer = AddSinePositions2D()
    code = numpy(layer(tensor(np.zeros((1, 3, 5, 4)))))[0]
    np.testing.assert_allclose(numpy(layer(tensor(x)))[0], x + code, atol=1e-5)
    with pytest.raises(ValueError, match="a multiple of 4 channels, not 6; 8 would fit"):
        AddSinePositions2D()(tensor(np.zeros((1, 3, 5, 6))))


# --- targets --------------------------------------------------------------------------------------


def test_distinct_numbers_ascend_and_end_in_none():
    found = numpy(distinct(tensor([[7, 3, 7, 0], [5, 5, 5, 5]], "int32"), 5))[0]
    none = mask_set.NONE
    assert found.tolist() == [[0, 3, 7, none, none], [5, none, none, none, none]]


def test_each_class_present_is_a_target():
    targets, wrong = find_targets(tensor([[[2, 0, 255], [0, 0, 2]], [[1] * 3] * 2], "int32"), 3, 3)
    classes, masks, known, wrong = numpy(*targets, wrong)
    assert classes.tolist() == [[0, 2, 3], [1, 3, 3]]
    assert masks[0].tolist() == [[[0, 1, 0], [1, 1, 0]], [[1, 0, 0], [0, 0, 1]], [[0] * 3] * 2]
    assert masks[1, 0].all() and not masks[1, 1:].any()
    assert known[:, 0].tolist() == [[[1, 1, 0], [1, 1, 1]], [[1] * 3] * 2]
    assert not wrong


def test_each_instance_is_a_target_and_the_rest_one_for_each_class():
    classes, instances = [[0, 0, 1, 1], [2, 1, 1, 255]], [[0, 0, 1, 2], [0, 2, 2, 3]]
    targets, wrong = find_targets(tensor(np.stack([classes, instances], -1)[None], "int32"), 3, 5)
    found, masks, _, wrong = numpy(*targets, wrong)
    assert found.tolist() == [[0, 2, 1, 1, 3]] and not wrong
    assert masks[0].astype(int).tolist() == [
        [[1, 1, 0, 0], [0, 0, 0, 0]], [[0, 0, 0, 0], [1, 0, 0, 0]], [[0, 0, 1, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 1], [0, 1, 1, 0]], [[0, 0, 0, 0], [0, 0, 0, 0]],
    ]  # fmt: skip


def test_ids_out_of_range_are_noticed():
    for mask, wrong in [([0, 1], False), ([0, 255], False), ([0, 3], True), ([-1, 0], True)]:
        assert bool(numpy(find_targets(tensor([[mask]], "int32"), 3, 3)[1])[0]) is wrong


def test_too_many_segments_are_noticed():
    mask = tensor([[[0, 1, 2, 255]]], "int32")
    for count, wrong in [(1, True), (2, True), (3, False), (9, False)]:
        assert bool(numpy(find_targets(mask, 3, count)[1])[0]) is wrong


def test_shrinking_takes_the_first_pixel_of_those_that_become_one():
    masks = np.arange(24.0).reshape(1, 1, 4, 6)
    for step, size in ((2, (2, 3)), (1, (4, 6))):
        shrunk = numpy(mask_set.shrink(tensor(masks), np.zeros((1, 5, *size))))[0]
        np.testing.assert_array_equal(shrunk, masks[..., ::step, ::step])


def test_enlarging_is_bilinear_resizing():
    x = np.random.RandomState(0).normal(size=(2, 3, 4, 6)).astype("float32")
    for size in ((8, 24), (4, 6), (5, 7)):
        expected = ops.image.resize(tensor(x), size, "bilinear", data_format="channels_first")
        found = mask_set.enlarge(tensor(x), np.zeros((1, 1, *size)))
        np.testing.assert_allclose(*numpy(found, expected), atol=1e-5)


# --- costs and loss -------------------------------------------------------------------------------


def example():
    """One picture of three pixels, the last void; query 0 is right about mask and class."""
    masks, known = [[[[1, 0, 0]], [[0, 0, 0]]]], [[[[1, 1, 0]]]]
    targets = Targets(tensor([[1, 2]], "int32"), tensor(masks), tensor(known))
    p_class = np.array([[[0.2, 0.7, 0.1], [0.5, 0.2, 0.3]]])
    p_mask = np.array([[[[0.9, 0.2, 0.6]], [[0.5, 0.5, 0.1]]]])
    return targets, tensor(np.log(p_class)), tensor(np.log(p_mask / (1 - p_mask)))


def test_costs_by_hand():
    by_class, focal, dice = numpy(*pairwise_costs(*example()))
    assert by_class.shape == focal.shape == dice.shape == (1, 2, 2)
    np.testing.assert_allclose(by_class[0, :, 0], [-0.7, -0.2], rtol=1e-5)

    def inside(p):
        return -0.25 * (1 - p) ** 2 * np.log(p)

    def outside(p):
        return -0.75 * p**2 * np.log(1 - p)

    np.testing.assert_allclose(focal[0, 0, 0], (inside(0.9) + outside(0.2)) / 2, rtol=1e-5)
    np.testing.assert_allclose(focal[0, 1, 0], (inside(0.5) + outside(0.5)) / 2, rtol=1e-5)
    np.testing.assert_allclose(dice[0, 0, 0], 1 - (2 * 0.9 + 1) / (1.1 + 1 + 1), rtol=1e-5)
    np.testing.assert_allclose(dice[0, 1, 0], 1 - (2 * 0.5 + 1) / (1.0 + 1 + 1), rtol=1e-5)


def test_losses_by_hand():
    targets, class_logits, mask_logits = example()
    losses = numpy(*pair_losses(targets, tensor([[0, 1]], "int32"), class_logits, mask_logits, 0.1))
    entropy = -(np.log(0.7) + 0.1 * np.log(0.3)) / 1.1                     # query 1 has no target
    focal = (-0.25 * 0.1**2 * np.log(0.9) - 0.75 * 0.2**2 * np.log(0.8)) / 2
    np.testing.assert_allclose(losses, [entropy, focal, 1 - 2.8 / 3.1], rtol=1e-5)


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "mask_set.npz") as stored:
        return dict(stored)


@pytest.mark.parametrize("kind", ["classes", "instances"])
def test_targets_costs_and_matching_equal_transformers(golden, kind):
    masks = ids(kind == "instances")
    class_logits, mask_logits = (x[:, -1] for x in predictions())
    targets, _ = find_targets(tensor(masks, "int32"), CLASSES, 5)
    small = Targets(targets.classes, *(mask_set.shrink(x, mask_logits) for x in targets[1:]))
    costs = pairwise_costs(small, tensor(class_logits), tensor(mask_logits))
    cost = costs[0] + 20 * costs[1] + costs[2]
    rows, (_, focal, dice) = numpy(hungarian(cost, targets.classes < CLASSES))[0], numpy(*costs)
    found, sizes = numpy(targets.classes, targets.masks)
    for b, picture in enumerate(masks):
        stacked, classes = segments(picture)
        count = len(classes)
        assert found[b].tolist() == [*classes, *[CLASSES] * (5 - count)]
        np.testing.assert_array_equal(sizes[b, :count], stacked)
        np.testing.assert_allclose(focal[b, :, :count], golden[f"{kind}_focal_{b}"], atol=1e-5)
        np.testing.assert_allclose(dice[b, :, :count], golden[f"{kind}_dice_{b}"], atol=1e-5)
        assert rows[b, :count].tolist() == golden[f"{kind}_rows_{b}"].tolist()


@pytest.mark.parametrize("kind", ["classes", "instances"])
def test_loss_equals_transformers(golden, kind):
    masks, outputs = ids(kind == "instances"), y_pred(*predictions())
    for name, weights in {
        "cross_entropy": (1, 0, 0), "mask": (0, 1, 0), "dice": (0, 0, 1), "total": (1, 20, 1),
    }.items():  # fmt: skip
        loss = MaskSet(CLASSES, *weights)
        loss.match = MaskSet(CLASSES).match          # pairs as with the usual weights
        keys = [f"{kind}_total"] if name == "total" else [f"{kind}_loss_{name}{end}" for end in ("", "_0")]
        expected = sum(golden[key] for key in keys)
        np.testing.assert_allclose(float(loss(masks, outputs)), expected, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other graphs know all sizes")
def test_loss_in_a_graph_that_knows_no_size():
    import tensorflow as tf

    loss, (class_logits, mask_logits) = MaskSet(CLASSES), (x[:, -1] for x in predictions())
    queries = mask_logits.shape[1]
    signature = [
        tf.TensorSpec([None, None, None], "int32"),
        tf.TensorSpec([None, queries, CLASSES + 1]),
        tf.TensorSpec([None, queries, None, None]),
    ]
    graph = tf.function(lambda y, c, m: loss(y, {"class_logits": c, "mask_logits": m}), signature)
    expected = loss(ids(), {"class_logits": tensor(class_logits), "mask_logits": tensor(mask_logits)})
    np.testing.assert_allclose(float(graph(ids(), class_logits, mask_logits)), float(expected), rtol=1e-5)


def test_every_decoder_layer_counts():
    masks, (class_logits, mask_logits) = ids(), predictions()
    loss = MaskSet(CLASSES)
    one_by_one = [
        float(loss(masks, y_pred(class_logits[:, [i]], mask_logits[:, [i]])))
        for i in range(class_logits.shape[1])
    ]
    both = float(loss(masks, y_pred(class_logits, mask_logits)))
    np.testing.assert_allclose(both, sum(one_by_one), rtol=1e-5)


def test_loss_does_not_depend_on_the_order_of_queries_nor_on_room_to_spare():
    masks, (class_logits, mask_logits) = ids(), predictions()
    loss = float(MaskSet(CLASSES)(masks, y_pred(class_logits, mask_logits)))
    order = np.random.RandomState(0).permutation(class_logits.shape[2])
    shuffled = y_pred(class_logits[:, :, order], mask_logits[:, :, order])
    np.testing.assert_allclose(float(MaskSet(CLASSES)(masks, shuffled)), loss, rtol=1e-5)
    roomy = MaskSet(CLASSES, max_targets=6)(masks, y_pred(class_logits, mask_logits))
    np.testing.assert_allclose(float(roomy), loss, rtol=1e-5)


def test_void_pixels_count_in_no_mask():
    masks, (class_logits, mask_logits) = ids(), predictions()
    masks[:, 8:] = 255                                                     # rows 4 to 7 of the mask logits
    there = y_pred(class_logits, mask_logits)
    # Row 4 stays, for between rows 3 and 4 the logits are interpolated.
    changed = y_pred(class_logits, np.where(np.arange(8)[:, None] < 5, mask_logits, 7.0))
    loss = MaskSet(CLASSES)
    np.testing.assert_allclose(float(loss(masks, changed)), float(loss(masks, there)), rtol=1e-5)


def test_a_perfect_prediction_costs_next_to_nothing_and_the_weights_weigh():
    masks = np.repeat(np.repeat(ids()[:, ::2, ::2], 2, 1), 2, 2)
    targets = find_targets(tensor(masks, "int32"), CLASSES, 4)[0]
    classes, stacked = numpy(targets.classes, mask_set.shrink(targets.masks, np.zeros((1, 1, 8, 12))))
    class_logits, mask_logits = 30 * np.eye(CLASSES + 1)[classes], 60 * stacked - 30
    at_pixels = np.repeat(np.repeat(mask_logits, 2, 2), 2, 3)
    perfect = y_pred(class_logits[:, None], at_pixels[:, None])
    assert 0 <= float(MaskSet(CLASSES)(masks, perfect)) < 1e-3
    wrong = y_pred(-class_logits[:, None], at_pixels[:, None])
    assert float(MaskSet(CLASSES, class_weight=0)(masks, wrong)) < 1e-3
    assert float(MaskSet(CLASSES, class_weight=1)(masks, wrong)) > 10
    away = y_pred(class_logits[:, None], -at_pixels[:, None])
    assert float(MaskSet(CLASSES, mask_weight=0, dice_weight=0)(masks, away)) < 1e-3


def test_no_object_weight():
    masks, outputs = np.full((1, 16, 24), 255), y_pred(*(x[:1] for x in predictions()))
    some, none = (float(MaskSet(CLASSES, no_object_weight=w)(masks, outputs)) for w in (0.1, 0.0))
    assert some > 0.1 and none == 0                                        # only queries without a target


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("case", ["usual", "void", "one pixel"])
def test_values_and_gradients_are_finite(scale, case):
    masks = ids()
    masks[:, 1:] = {"usual": masks[:, 1:], "void": 255, "one pixel": 0}[case]
    masks[:, 0] = {"usual": masks[:, 0], "void": 255, "one pixel": 0}[case]
    if case == "one pixel":
        masks[:, 3, 3] = 1                                                 # lost at the masks' size
    class_logits, mask_logits = predictions()
    value, *gradients = slopes(
        lambda c, m: MaskSet(CLASSES)(masks, {"class_logits": c, "mask_logits": m}),
        (scale * class_logits[:, -1], scale * mask_logits[:, -1]),
    )
    assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradients)
    assert abs(gradients[0]).max() > 0 or scale > 1


def test_half_precision_logits_do_not_overflow():
    class_logits, mask_logits = (300 * x[:, -1].astype("float16") for x in predictions())
    outputs = {"class_logits": tensor(class_logits, "float16"), "mask_logits": tensor(mask_logits, "float16")}
    loss = MaskSet(CLASSES)(ids(), outputs)
    assert np.isfinite(float(loss)) and keras.backend.standardize_dtype(loss.dtype) == "float32"


def test_the_loss_of_what_cannot_be_counted_is_nan_and_moves_no_weight():
    class_logits, mask_logits = (x[:, -1] for x in predictions())
    for masks, loss in [(ids() + 1, MaskSet(CLASSES)), (ids(), MaskSet(CLASSES, max_targets=3))]:
        value, *gradients = slopes(
            lambda c, m, y=masks, loss=loss: loss(y, {"class_logits": c, "mask_logits": m}),
            (class_logits, mask_logits),
        )
        assert np.isnan(value) and not any(g.any() for g in gradients)


def test_what_does_not_fit_is_refused():
    outputs = y_pred(*predictions())
    with pytest.raises(ValueError, match="mask_set is for 5 classes, the network for 4"):
        MaskSet(5)(ids(), outputs)
    with pytest.raises(ValueError, match=r"takes masks \(B, H, W\) of class ids, or .* not \(3, 16, 24, 1\)"):
        MaskSet(4)(ids()[..., None], outputs)
    with pytest.raises(ValueError, match="7 targets need as many queries, not 6"):
        MaskSet(4, max_targets=7)(ids(), outputs)
    with pytest.raises(ValueError, match="takes no sample weights"):
        MaskSet(4)(ids(), outputs, np.ones(3))


def test_loss_survives_its_config():
    loss = MaskSet(4, 2.0, 3.0, 4.0, 0.5, 9, 6)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, MaskSet) and again.get_config() == loss.get_config()


# --- the network ----------------------------------------------------------------------------------


def test_network_equals_transformers():
    model, pictures = network(maskformer)
    outputs = thinned(model.predict(pictures, verbose=0))
    with np.load(GOLDEN / "maskformer.npz") as golden:
        assert set(golden) == set(outputs)
        for name, expected in golden.items():
            np.testing.assert_allclose(outputs[name], expected, atol=1e-4, err_msg=name)


def test_outputs_and_semantic_inference():
    model = tiny()
    images, _ = batch()
    outputs = {name: numpy(value)[0] for name, value in model(tensor(images)).items()}
    assert {name: x.shape for name, x in outputs.items()} == {
        "logits": (4, 16, 16, 3), "class_logits": (4, 5, 4), "mask_logits": (4, 5, 8, 8),
        "auxiliary_class_logits": (4, 1, 5, 4), "auxiliary_mask_logits": (4, 1, 5, 8, 8),
    }  # fmt: skip
    large = ops.image.resize(outputs["mask_logits"], (16, 16), "bilinear", data_format="channels_first")
    large = ops.convert_to_numpy(large)
    classes = np.exp(outputs["class_logits"]) / np.exp(outputs["class_logits"]).sum(-1, keepdims=True)
    scores = np.einsum("bnhw,bnk->bhwk", 1 / (1 + np.exp(-large)), classes[..., :-1])
    np.testing.assert_allclose(np.exp(outputs["logits"]), scores, rtol=1e-4)


def test_any_height_and_width():
    model = tiny((None, None, 1))
    small = tiny((16, 16, 1))
    small.set_weights(model.get_weights())
    images, _ = batch()
    np.testing.assert_allclose(*numpy(*(m(tensor(images))["logits"] for m in (model, small))), atol=1e-4)
    assert model(tensor(np.ones((1, 24, 40, 1))))["logits"].shape == (1, 24, 40, 3)


def test_options():
    sizes = {"queries": 9, "decoder_layers": 4, "dim": 32, "num_heads": 4, "feed_forward": 24, "dropout": 0.3}
    model = tiny(num_classes=7, **sizes)
    shapes = {name: x.shape for name, x in model.output.items()}
    assert shapes["logits"] == (None, 16, 16, 7) and shapes["mask_logits"] == (None, 9, 8, 8)
    assert shapes["auxiliary_class_logits"] == (None, 3, 9, 8)
    assert model.get_layer("pixel_embedding").output.shape == (None, 8, 8, 32)
    attention = model.get_layer("decoder4_cross_attention").get_config()
    assert (attention["num_heads"], attention["key_dim"], attention["dropout"]) == (4, 8, 0.3)
    assert model.get_layer("decoder2_hidden").units == 24
    assert tiny(decoder_layers=1).output["auxiliary_mask_logits"].shape == (None, 0, 5, 8, 8)
    resnet = maskformer((32, 64, 3), 4, depth=18, filters=8, **TINY)
    assert resnet.output["mask_logits"].shape == (None, 5, 8, 16) and resnet.get_layer("conv1").filters == 8


def test_an_encoder_may_be_a_model_of_one_map_or_more():
    picture = keras.Input((None, None, 1))
    for maps, side in ((pyramid(picture), 8), (pyramid(picture)[1:], 4)):
        model = maskformer((16, 16, 1), 3, encoder=keras.Model(picture, maps), **TINY)
        assert model.output["mask_logits"].shape == (None, 5, side, side)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a height and width that 32 divides, not 48×100; 64×96 would fit"):
        maskformer((48, 100, 3))
    with pytest.raises(ValueError, match=r"feature maps that halve .* not 9×9 and then 5×5"):
        tiny((18, 18, 1))


def test_trains_as_any_other_network():
    images, masks = batch()
    model = tiny()
    model.compile(keras.optimizers.Adam(3e-3, clipnorm=1.0), MaskSet(3), metrics=[MeanIoU(3)])
    expected = numpy(MaskSet(3)(masks, model(tensor(images))))[0]
    history = model.fit(images, masks, batch_size=4, epochs=10, verbose=0).history
    np.testing.assert_allclose(history["loss"][0], expected, rtol=1e-3)
    assert history["loss"][-1] < 0.8 * history["loss"][0] and 0 <= history["mean_iou"][-1] <= 1


def test_survives_save_and_load(tmp_path):
    images, masks = batch()
    model = tiny()
    model.compile("adam", MaskSet(3), metrics=[MeanIoU(3)])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model) and again.loss.get_config() == model.loss.get_config()
    outputs, same = (m(tensor(images)) for m in (model, again))
    for name, value in outputs.items():
        np.testing.assert_allclose(*numpy(same[name], value), atol=1e-5)
    losses = numpy(MaskSet(3)(masks, outputs), again.compute_loss(None, tensor(masks, "uint8"), same))
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_instances_are_for_the_loss_and_classes_for_metrics():
    images, masks = batch()
    pairs = np.stack([masks, (masks == 1) + 2 * (masks == 2)], axis=-1)
    pairs[:, :9, :, 1] *= 2                                                # cut in two: more targets
    model = tiny()
    model.compile("adam", MaskSet(3), metrics=[MeanIoU(3)])
    outputs = model(tensor(images))
    scores = []
    for y in (pairs, masks):
        y = tensor(y, "int32")
        model.reset_metrics()
        loss = numpy(model.compute_loss(None, y, outputs), MaskSet(3)(y, outputs))
        np.testing.assert_allclose(*loss, rtol=1e-5)
        scores.append((float(loss[0]), float(model.compute_metrics(None, y, outputs)["mean_iou"])))
    assert scores[0][0] != scores[1][0] and scores[0][1] == scores[1][1]


def test_any_other_loss_sees_the_logits():
    images, masks = batch()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model = tiny()
    model.compile("adam", loss)
    outputs, masks = model(tensor(images)), tensor(masks, "int32")
    losses = numpy(model.compute_loss(None, masks, outputs), loss(masks, outputs["logits"]))
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_mixed_precision_trains_without_nan():
    images, masks = batch()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = tiny(decoder_layers=1)
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile("adam", MaskSet(3), jit_compile=keras.backend.backend() == "jax")
    assert np.isfinite(model.fit(images, masks, epochs=3, batch_size=4, verbose=0).history["loss"]).all()
    for value in numpy(*model(tensor(images)).values()):
        assert value.dtype == "float32" and np.isfinite(value).all()
