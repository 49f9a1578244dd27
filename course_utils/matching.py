"""Which prediction belongs to which target: the assignment problem, solved exactly and in the graph."""

import math

from keras import ops

FREE = -1      # the owner of a row that nobody has
HUGE = 1e30    # costs from here on are no numbers: their sums would overflow


def hungarian(cost, valid=None):
    """Give each column a row of its own, so that the sum of the costs is least.

    The method is that of shortest augmenting paths (Jonker & Volgenant 1987; Crouse 2016): one column
    after the other gets a row, by the cheapest chain of exchanges that ends in a free row. Rows have
    prices (the dual variables), which tell what giving one up would cost its owner. A batch is worked
    on at once; pictures that are done wait for the others.

    Args:
        cost: (B, N, M), N ≥ M, B may be unknown. What is no number, NaN or infinite, counts as one
            cost above any sum of the others: it is chosen only where nothing else is left.
        valid: bool (B, M) or None. Columns where it is False get any rows that are left, and do not
            change the others' optimum. (Nor does a column whose costs are all equal.)

    Returns:
        int32 (B, M), the row of each column; no gradient flows through it.

    Raises:
        ValueError: cost is not (B, N, M), or has no column, or more columns than rows.
    """
    shape = tuple(cost.shape)
    if len(shape) != 3 or None in shape[1:] or not 0 < shape[2] <= shape[1]:
        raise ValueError(f"hungarian takes costs (B, N, M) with N ≥ M ≥ 1, not {shape}.")
    cost = _comparable(ops.stop_gradient(cost), valid)
    price = ops.zeros_like(cost[:, :, 0])                                     # B, N
    owner = ops.cast(price, "int32") + FREE                                   # B, N: who has the row

    def give_row(column, state):
        return _give_row(cost, column, *state)

    owner, _ = ops.fori_loop(0, shape[2], give_row, (owner, price))
    owned = owner[:, :, None] == ops.arange(shape[2], dtype="int32")          # B, N, M
    return ops.cast(ops.argmax(ops.cast(owned, "int32"), axis=1), "int32")


def _comparable(cost, valid):
    """Costs from 0 on, and in the place of what is no number one that is dearer than all M others.

    What is subtracted from a whole column changes no choice, for the column gets one row in any case; but
    the differences that decide are then not lost in float32 behind a large number common to all.
    """
    cost = ops.cast(cost, "float32")
    number = ops.abs(cost) < HUGE                                             # False for NaN
    if valid is not None:
        number = number & valid[:, None]
    lowest = ops.min(ops.where(number, cost, HUGE), axis=1, keepdims=True)    # B, 1, M
    highest = ops.max(ops.where(number, cost, -HUGE), axis=(1, 2), keepdims=True)
    spread = highest - ops.min(lowest, axis=2, keepdims=True)                 # B, 1, 1; 0 if all are equal
    dear = highest + cost.shape[2] * ops.maximum(spread, 1e-3 * ops.abs(highest) + 1 / HUGE)
    return ops.where(number, cost, dear) - ops.minimum(lowest, dear)


def _give_row(cost, column, owner, price):
    """Give one more column a row; its owner, if there is one, moves on to another, and so forth."""
    row, distance, previous, visited = _nearest_free_row(cost, column, owner, price)
    # Prices fall on the way by what the search found too dear: afterwards each owner pays its least again.
    price = ops.where(visited, price + distance - _pick(distance, row), price)
    return _exchange(owner, previous, row, column), price


def _nearest_free_row(cost, column, owner, price):
    """Dijkstra's search from a column to the nearest row without an owner.

    A step goes from a row to any other one: the owner of the first takes the second in its place, and
    the step's length is what it then pays more. Prices keep all lengths from being negative.

    Returns:
        row (B,), the free row; distance (B, N), length of the shortest chain so far that ends in a row;
        previous (B, N), the row before it in this chain, or -1; visited (B, N), rows with owners that
        the search went through.
    """

    def searching(row, *_):
        return ops.any(_pick(owner, row) != FREE)

    def step(row, distance, previous, visited):
        taken = _pick(owner, row) != FREE                                     # B, 1: not there yet
        visited = visited | (taken & _at(row, owner))
        pays = _column(cost, ops.maximum(_pick(owner, row), 0)) - price       # B, N: the owner, anywhere
        through = _pick(distance, row) + pays - _pick(pays, row)
        shorter = taken & ~visited & (through < distance)
        distance = ops.where(shorter, through, distance)
        previous = ops.where(shorter, row[:, None], previous)
        return _nearest(distance, visited, owner), distance, previous, visited

    distance = ops.take(cost, column, axis=2) - price
    previous, visited = ops.full_like(owner, -1), ops.zeros_like(owner, "bool")
    start = (_nearest(distance, visited, owner), distance, previous, visited)
    return ops.while_loop(searching, step, start)


def _nearest(distance, visited, owner):
    """The nearest row not visited, (B,); of equal ones a free row, which ends the search."""
    distance = ops.where(visited, math.inf, distance)
    nearest = distance == ops.min(distance, axis=1, keepdims=True)
    rank = ops.cast(nearest, "int32") + ops.cast(nearest & (owner == FREE), "int32")
    return ops.cast(ops.argmax(rank, axis=1), "int32")


def _exchange(owner, previous, row, column):
    """From the end of the chain to its start, each row goes to the owner of the row before it."""

    def pass_on(row, new_owner):
        before = _pick(previous, row)                                         # B, 1
        taker = ops.where(before < 0, column, _pick(owner, before[:, 0]))     # the first goes to the column
        new_owner = ops.where(_at(row, owner), taker, new_owner)
        return ops.where(row < 0, row, before[:, 0]), new_owner

    return ops.while_loop(lambda row, _: ops.any(row >= 0), pass_on, (row, owner))[1]


def _pick(x, row):
    """x[b, row[b]] for each picture b: (B, 1), from x (B, N) and row (B,), where below 0 any."""
    return ops.take_along_axis(x, ops.maximum(row, 0)[:, None], axis=1)


def _at(row, like):
    """True in the place `row` of each picture: bool (B, N), nowhere where it is below 0."""
    return row[:, None] == ops.arange(like.shape[1], dtype="int32")


def _column(cost, column):
    """cost[b, :, column[b]]: (B, N), from cost (B, N, M) and column (B, 1)."""
    return ops.take_along_axis(cost, column[:, None], axis=2)[:, :, 0]
