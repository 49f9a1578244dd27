"""The assignment problem: optimal as SciPy's, in compiled code, and undisturbed by padding and NaN."""

from functools import cache

import keras
import numpy as np
import pytest
from keras import ops
from scipy.optimize import linear_sum_assignment

from course_utils.matching import hungarian

SIZES = [(1, 1), (3, 1), (3, 3), (5, 2), (8, 8), (12, 5), (20, 20), (100, 20)]
KINDS = 8


@cache
def compiled():
    """The function as training runs it on this back-end."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(hungarian, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(hungarian)
    return hungarian


def solve(cost, *valid):
    arrays = [ops.convert_to_tensor(np.asarray(x)) for x in (cost, *valid)]
    return ops.convert_to_numpy(compiled()(*arrays))


def problems(size, count):
    """Costs float32 (count, *size) of all kinds in turns."""
    rng = np.random.default_rng(size)
    costs = rng.normal(size=(count, *size))
    costs[1::KINDS] = rng.integers(0, 4, costs[1::KINDS].shape)            # ties
    costs[2::KINDS, 1:] = costs[2::KINDS, :1]                              # equal rows
    costs[3::KINDS] *= 1e6
    costs[4::KINDS] *= 1e-6
    costs[5::KINDS] = -np.exp(3 * costs[5::KINDS])                         # negative, of many sizes
    costs[6::KINDS] += 1000                                                # a large number in common
    costs[7::KINDS] *= rng.integers(0, 2, costs[7::KINDS].shape)           # many zeros
    return costs.astype("float32")


def totals(cost, rows):
    return np.take_along_axis(cost.astype("float64"), rows[:, None], axis=1).sum((1, 2))


def least(cost):
    return np.array([c[linear_sum_assignment(c)].sum() for c in cost.astype("float64")])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_total_cost_is_scipys(size):
    cost = problems(size, 1250)                                            # 10,000 in all
    rows = solve(cost)
    assert rows.dtype == "int32" and rows.shape == (1250, size[1])
    assert all(len(set(r)) == size[1] for r in rows.tolist())
    found, best, scale = totals(cost, rows), least(cost), abs(cost).max((1, 2))
    assert (found - best <= 1e-4 * abs(best) + 1e-6 * scale).all()


def test_by_hand():
    # Row 1 is the cheapest for columns 0 and 1; giving it to column 0 costs column 1 only 1 more.
    cost = np.float32([[[4, 1, 3], [2, 0, 5], [3, 2, 2]]])
    assert solve(cost).tolist() == [[1, 0, 2]]


def test_the_greedy_choice_is_given_up_where_the_sum_gains():
    assert solve(np.float32([[[0, 1], [1, 9]]])).tolist() == [[1, 0]]


def test_each_picture_is_solved_by_itself():
    cost = problems((9, 6), 40)
    together = solve(cost)
    for i in range(0, 40, 7):
        np.testing.assert_array_equal(solve(cost[i : i + 1])[0], together[i])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_chosen_only_where_nothing_else_is_left(bad):
    rng = np.random.default_rng(3)
    cost = (rng.normal(size=(200, 7, 5)) * 10.0 ** rng.integers(-6, 7, (200, 1, 1))).astype("float32")
    forbidden = rng.random(cost.shape) < 0.6
    rows = solve(np.where(forbidden, np.float32(bad), cost))
    assert all(len(set(r)) == 5 for r in rows.tolist())
    finite, scale = cost.astype("float64"), abs(cost).max((1, 2))
    dear = 1e4 * scale[:, None, None] * forbidden + np.where(forbidden, 0, finite)
    found = np.take_along_axis(dear, rows[:, None], axis=1).sum((1, 2))
    np.testing.assert_array_less(found - least(dear), 1e-4 * scale)


def test_costs_without_any_number_still_give_distinct_rows():
    assert sorted(solve(np.full((1, 3, 3), np.nan, "float32"))[0]) == [0, 1, 2]


def test_columns_that_are_not_valid_do_not_disturb_the_others():
    cost, rng = problems((12, 8), 200), np.random.default_rng(4)
    valid = rng.random((200, 8)) < 0.5
    poisoned = np.where(valid[:, None], cost, rng.choice(np.float32([np.nan, -1e9, 0, 1e9]), cost.shape))
    rows = solve(poisoned, valid)
    assert all(len(set(r)) == 8 for r in rows.tolist())
    for c, r, v in zip(cost.astype("float64"), rows, valid, strict=True):
        best = c[:, v][linear_sum_assignment(c[:, v])].sum()
        assert c[r[v], v].sum() - best <= 1e-4 * abs(best) + 1e-6 * abs(c).max()


def test_columns_of_equal_costs_do_not_disturb_the_others():
    cost = problems((12, 8), 200)
    cost[:, :, 5:] = np.float32([[[-7, 0, 3e4]]])
    rows = solve(cost)
    found, best = totals(cost[..., :5], rows[:, :5]), least(cost[..., :5])
    assert (found - best <= 1e-4 * abs(best) + 1e-6 * abs(cost[..., :5]).max((1, 2))).all()


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 3), (1, 4, 0), (1, 1, 4, 4)])
def test_shapes_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"takes costs \(B, N, M\) with N ≥ M ≥ 1, not \("):
        hungarian(np.zeros(shape, "float32"))
