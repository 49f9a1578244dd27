"""Metrics, against scikit-learn and by hand."""

import warnings

import numpy as np
import pytest
import sklearn.metrics

from course_utils import metrics


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
