"""Metrics, against other libraries and by hand."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import sklearn.metrics
from cases import blobs, masks_and_logits
from keras import ops

from course_utils import metrics

GOLDEN = np.load(Path(__file__).parent / "golden" / "numerics.npz")


def random_ids(seed=0, k=6, shape=(3, 20, 30)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, k, shape), rng.integers(0, k, shape)


def test_confusion_matrix_by_hand():
    truth = np.array([[0, 0, 1], [1, 1, 255]])
    prediction = np.array([[0, 1, 1], [1, 0, 0]])
    confusion = metrics.confusion_matrix(truth, prediction, 2)
    assert confusion.dtype == np.int64
    np.testing.assert_array_equal(confusion, [[1, 1], [1, 2]])  # the void pixel is not counted


def test_confusion_matrix_and_scores_equal_scikit_learn():
    truth, prediction = random_ids()
    confusion = metrics.confusion_matrix(truth, prediction, 6)
    np.testing.assert_array_equal(
        confusion, sklearn.metrics.confusion_matrix(truth.ravel(), prediction.ravel())
    )
    scores = metrics.scores(confusion)
    reference = sklearn.metrics.precision_recall_fscore_support(truth.ravel(), prediction.ravel())
    mine_all = (scores.precision, scores.recall, scores.f1, scores.support)
    for mine, theirs in zip(mine_all, reference, strict=True):
        np.testing.assert_allclose(mine, theirs)
    np.testing.assert_allclose(
        scores.iou, sklearn.metrics.jaccard_score(truth.ravel(), prediction.ravel(), average=None)
    )
    assert scores.pixel_accuracy == pytest.approx((truth == prediction).mean())
    assert scores.mean_iou == pytest.approx(scores.iou.mean())


def test_a_class_absent_from_truth_and_prediction_has_no_score():
    scores = metrics.scores(metrics.confusion_matrix([0, 0, 1], [0, 2, 2], 4))
    np.testing.assert_array_equal(np.isnan(scores.iou), [False, False, False, True])
    np.testing.assert_allclose(scores.iou[:3], [0.5, 0, 0])
    np.testing.assert_allclose(scores.recall[:3], [0.5, 0, 0])
    assert scores.mean_iou == pytest.approx(0.5 / 3)


def test_a_matrix_of_shares_gives_the_same_scores():
    counts = metrics.confusion_matrix(*random_ids(), 6)
    np.testing.assert_allclose(metrics.scores(counts / counts.sum()).iou, metrics.scores(counts).iou)


def test_nothing_counted_gives_nan_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = metrics.scores(metrics.confusion_matrix([255, 255], [0, 1], 2))
        assert np.isnan([scores.pixel_accuracy, scores.mean_iou, scores.mean_f1]).all()


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([0, 3], [0, 1], r"y_true holds the id 3.*0 to 2.*void"),
        ([0, 1], [0, -1], r"y_pred holds the id -1"),
        ([0, 1], [0, 255], r"y_pred holds the id 255"),
        ([0, 1], [0, 1, 2], r"shape \(2,\).*\(3,\)"),
        ([0, 1], [0.2, 0.9], r"float64.*arg-max"),
    ],
)
def test_ids_that_cannot_be_counted_are_refused(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        metrics.confusion_matrix(truth, prediction, 3)


def test_void_can_be_any_id_or_none():
    np.testing.assert_array_equal(metrics.confusion_matrix([0, 9], [0, 0], 1, void=9), [[1]])
    with pytest.raises(ValueError, match="255"):
        metrics.confusion_matrix([0, 255], [0, 0], 1, void=None)


def test_table_has_a_line_a_class_and_the_means():
    truth, prediction = random_ids(k=3)
    scores = metrics.scores(metrics.confusion_matrix(truth, prediction, 3))
    table = scores.table(("cat", "dog", "background"))
    lines = table.splitlines()
    assert [line.split()[0] for line in lines] == ["class", "cat", "dog", "background", "mean"]
    assert len({len(line) for line in lines}) == 1
    assert f"{scores.mean_iou:.3f}" in lines[-1]
    with pytest.raises(ValueError, match="2 class names for 3 classes"):
        scores.table(("cat", "dog"))


def test_a_matrix_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        metrics.scores(np.zeros((2, 3), int))


def test_scores_equal_those_of_other_libraries():
    masks, logits = masks_and_logits()
    confusion = metrics.confusion_matrix(masks, logits.argmax(-1), 5)
    np.testing.assert_array_equal(confusion, GOLDEN["confusion_matrix"])
    scores = metrics.scores(confusion)
    for name in ("precision", "recall", "f1"):
        np.testing.assert_allclose(getattr(scores, name), GOLDEN[name], rtol=1e-5)
    np.testing.assert_allclose(scores.f1, GOLDEN["dice_torchmetrics"], rtol=1e-5)
    np.testing.assert_allclose(scores.f1, GOLDEN["dice_monai"], rtol=1e-5)
    np.testing.assert_allclose(scores.iou, GOLDEN["iou_torchmetrics"], rtol=1e-5)


# --- Keras metrics --------------------------------------------------------------------------------

keras_metrics = pytest.mark.parametrize(
    ("metric", "score"), [(metrics.MeanIoU, "mean_iou"), (metrics.MeanF1, "mean_f1")]
)


@keras_metrics
def test_many_batches_give_exactly_the_value_of_one(metric, score):
    masks, logits = masks_and_logits()
    whole, parts = metric(5), metric(5)
    whole.update_state(masks, logits)
    for i in range(3):
        parts.update_state(masks[i : i + 1], logits[i : i + 1])
    assert float(parts.result()) == float(whole.result())
    expected = metrics.scores(metrics.confusion_matrix(masks, logits.argmax(-1), 5))
    assert float(whole.result()) == pytest.approx(getattr(expected, score), rel=1e-6)


def test_counts_stay_exact_beyond_what_float32_holds():
    metric = metrics.MeanIoU(2)
    logits = np.zeros((1, 1200, 1000, 2), "float32")
    logits[..., 0] = 1
    masks = np.zeros((1, 1200, 1000), "uint8")
    masks[0, 0, 0] = 1
    for _ in range(20):  # 24 million pixels: a float32 stands still at 16.8 million
        metric.update_state(masks, logits)
    high, low = (ops.convert_to_numpy(v).astype("int64") for v in (metric.high, metric.low))
    np.testing.assert_array_equal(high * metric.BASE + low, [20 * 1199999, 0, 20, 0, 0])


@keras_metrics
def test_an_id_out_of_range_makes_the_metric_nan(metric, score):
    masks, logits = masks_and_logits()
    masks[1, 2, 3] = 5
    mine = metric(5)
    mine.update_state(masks, logits)
    assert np.isnan(float(mine.result()))
    mine.reset_state()
    mine.update_state(masks[:1], logits[:1])
    assert np.isfinite(float(mine.result()))


@keras_metrics
def test_only_classes_that_occur_count_and_void_never(metric, score):
    mine = metric(4)
    logits = np.eye(4, dtype="float32")[[[[0, 2, 2, 3]]]]
    truth = np.array([[[0, 0, 1, 255]]])
    mine.update_state(truth, logits)
    expected = metrics.scores(metrics.confusion_matrix(truth, logits.argmax(-1), 4))
    assert np.isnan(expected.iou[3])
    assert float(mine.result()) == pytest.approx(getattr(expected, score))
    mine.reset_state()
    assert np.isnan(float(mine.result()))


@keras_metrics
def test_metrics_in_compile_and_fit(metric, score, tmp_path):
    masks, logits = masks_and_logits()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16, 20, 5)), keras.layers.Conv2D(5, 1)])
    loss = keras.losses.SparseCategoricalCrossentropy(True, 255)
    model.compile("sgd", loss, metrics=[metric(5)])
    history = model.fit(logits, masks, batch_size=2, validation_data=(logits, masks), verbose=0).history
    confusion = metrics.confusion_matrix(masks, model.predict(logits, verbose=0).argmax(-1), 5)
    expected = getattr(metrics.scores(confusion), score)
    assert history[f"val_{score}"][0] == pytest.approx(expected, rel=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    values = again.evaluate(logits, masks, batch_size=1, verbose=0, return_dict=True)
    assert values[score] == pytest.approx(expected, rel=1e-6)


@keras_metrics
def test_a_weight_of_zero_leaves_out(metric, score):
    masks, logits = masks_and_logits()
    expected, per_picture, per_pixel = metric(5), metric(5), metric(5)
    expected.update_state(masks[:2], logits[:2])
    per_picture.update_state(masks, logits, np.array([2.0, 1.0, 0.0]))
    per_pixel.update_state(masks, logits, np.ones(masks.shape) * [[[0.5]], [[1]], [[0]]])
    assert float(per_picture.result()) == float(per_pixel.result()) == float(expected.result())


@keras_metrics
def test_channels_that_do_not_fit_are_refused(metric, score):
    with pytest.raises(ValueError, match=f"{score} has num_classes=3, but y_pred has 5 channels"):
        metric(3).update_state(*masks_and_logits())


# --- outlines -------------------------------------------------------------------------------------


def test_hausdorff_equals_scipy_and_monai():
    for i, (a, b) in enumerate(blobs()):
        assert metrics.hausdorff(a, b) == pytest.approx(GOLDEN["hausdorff"][i], rel=1e-6)
        assert metrics.hausdorff(b, a, percentile=95) == pytest.approx(GOLDEN["hausdorff95"][i], rel=1e-6)


def square(top, left, size=4):
    region = np.zeros((16, 16), bool)
    region[top : top + size, left : left + size] = True
    return region


def test_outlines_by_hand():
    assert metrics.hausdorff(square(3, 3), square(3, 3)) == 0
    assert metrics.hausdorff(square(3, 3), square(3, 8)) == 5
    assert metrics.hausdorff(square(3, 3), square(6, 7)) == 5                    # 3 down, 4 right
    stray = square(3, 3)
    stray[15, 3] = True                                                          # 9 below the square
    assert metrics.hausdorff(square(3, 3), stray) == 9
    assert metrics.hausdorff(square(3, 3), stray, percentile=50) == 0
    assert metrics.boundary_f1(square(3, 3), square(3, 3), tolerance=0) == 1
    assert metrics.boundary_f1(square(3, 3), square(3, 4)) == 1                  # one pixel off: tolerated
    # Two pixels off: of 12 outline pixels 4 coincide, 4 more have a neighbour on the other outline.
    assert metrics.boundary_f1(square(3, 3), square(3, 5), tolerance=0) == pytest.approx(4 / 12)
    assert metrics.boundary_f1(square(3, 3), square(3, 5)) == pytest.approx(8 / 12)
    assert metrics.boundary_f1(square(0, 0), square(12, 12)) == 0


def test_outlines_of_nothing():
    nothing = np.zeros((16, 16), bool)
    assert metrics.hausdorff(nothing, square(3, 3)) == metrics.hausdorff(square(3, 3), nothing) == np.inf
    assert metrics.boundary_f1(nothing, square(3, 3)) == metrics.boundary_f1(square(3, 3), nothing) == 0
    assert np.isnan(metrics.hausdorff(nothing, nothing))
    assert np.isnan(metrics.boundary_f1(nothing, nothing))


def test_wrong_regions_are_refused():
    with pytest.raises(ValueError, match=r"\(16, 16\) and \(4, 4\)"):
        metrics.hausdorff(square(3, 3), np.ones((4, 4), bool))
    with pytest.raises(ValueError, match="percentile=101"):
        metrics.hausdorff(square(3, 3), square(3, 3), percentile=101)
