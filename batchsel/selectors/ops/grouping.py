"""Optimal groups of neighboring numbers: one-dimensional k-means, solved instead of approached."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_size
from batchsel.selectors.ops.sampling import count_at_most

_FEW = 512
"""So many numbers are grouped exactly in one round, which tries all cuts."""
_PIECES = 256
"""Positions at which each of several rounds tries to cut more numbers."""
_ROUNDS = 9
_WIDE_ROUNDS = 3
"""Rounds that may move a cut up to the ones next to it; the others search ever closer."""
_SHRINK = 8
_TIE = 2.0**-48
"""Relative difference up to which two sums of squares count as equal."""
_BEYOND = 2**31 - 1


def nearest_groups(levels: tf.Tensor, known: tf.Tensor, count: int) -> tf.Tensor:
    """Divide numbers into groups with the least sum of squared distances to the means of their groups.

    The groups of one-dimensional k-means are intervals, so a dynamic program over the sorted numbers finds the best:
    with S and N the sum and the number of a group's members, it maximizes Σ S² / N. Up to 512 numbers all cuts are
    tried. Of more numbers, about half as many positions are tried in each of nine rounds, around the cuts of the round
    before and ever closer to them; the old cuts stay possible, so no round is worse than the one before.
    Source: H. Wang and M. Song, *Ckmeans.1d.dp: Optimal k-means Clustering in One Dimension by Dynamic Programming*,
    The R Journal 3 (2011).

    Args:
        levels: ``int64[n]`` in [0, 2^24].
        known: ``bool[n]``; other numbers affect no group.
        count: Number of groups at most, static; there are fewer if there are fewer different numbers.

    Returns:
        ``int32[n]`` groups, 0 for that of the lowest numbers; equal numbers are in one group.

    Example:
        >>> numbers = tf.constant([9, 1, 2, 10, 50], tf.int64)
        >>> nearest_groups(numbers, tf.ones([5], tf.bool), 3).numpy().tolist()
        [1, 0, 0, 1, 2]
    """
    n = static_size(levels)
    ordered = tf.sort(tf.where(known, tf.cast(levels, tf.int32), _BEYOND))
    real = tf.where(ordered < _BEYOND, tf.cast(ordered, tf.int64), 0)
    sums = tf.concat([tf.zeros([1], tf.int64), tf.cumsum(real)], axis=0)
    size = tf.math.count_nonzero(known, dtype=tf.int32)
    pieces = max(_PIECES, 4 * count)
    if n <= max(_FEW, pieces):
        cuts = _best_cuts(tf.minimum(tf.range(n + 1), size), sums, count)
    else:
        start = tf.cast(tf.range(count + 1, dtype=tf.int64) * tf.cast(size, tf.int64) // count, tf.int32)
        _, cuts = tf.while_loop(
            lambda round_, cuts: round_ < _ROUNDS,
            lambda round_, cuts: (round_ + 1, _best_cuts(_closer(cuts, ordered, pieces, round_), sums, count)),
            (tf.constant(0), start),
        )
    # The highest number of each group but the last; -1 for groups before the first number.
    highest = tf.where(cuts > 0, tf.gather(ordered, tf.maximum(cuts - 1, 0)), -1)
    groups = tf.zeros([n], tf.int32)
    for place in range(1, count):
        groups += tf.cast(tf.cast(levels, tf.int32) > highest[place], tf.int32)
    return groups


def _best_cuts(edges: tf.Tensor, sums: tf.Tensor, count: int) -> tf.Tensor:
    """Choose the best cuts among the edges of pieces.

    Args:
        edges: ``int32[m + 1]`` positions in the sorted numbers, from 0 to their number, not decreasing.
        sums: ``int64[n + 1]`` sums of the numbers before each position.
        count: Number of groups.

    Returns:
        ``int32[count + 1]``: 0, the positions at which the groups end.
    """
    totals = tf.cast(tf.gather(sums, edges), tf.float64)
    places = tf.cast(edges, tf.float64)
    sizes = places[:, None] - places[None]  # [end, start]
    squares = tf.square(totals[:, None] - totals[None]) / tf.maximum(sizes, 1.0)
    squares = tf.where(sizes >= 0, squares, float("-inf"))
    last = static_size(edges) - 1
    before = tf.where(tf.range(last + 1) == 0, tf.zeros([], tf.float64), float("-inf"))

    def add_group(group: tf.Tensor, best: tf.Tensor, starts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        values = best[None] + squares
        best = tf.reduce_max(values, axis=1)
        # The last of starts that are equally good up to rounding, which differs between compilers; so groups that
        # are not needed are the last, and empty.
        good = values >= (best * (1 - _TIE))[:, None]
        latest = tf.reduce_max(tf.where(good, tf.range(last + 1)[None], 0), axis=1)
        return group + 1, best, tf.tensor_scatter_nd_update(starts, group[None, None], latest[None])

    _, _, starts = tf.while_loop(
        lambda group, *_: group < count,
        add_group,
        (tf.constant(0), before, tf.zeros([count, last + 1], tf.int32)),
    )

    def go_back(group: tf.Tensor, end: tf.Tensor, ends: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        ends = tf.tensor_scatter_nd_update(ends, group[None, None] + 1, end[None])
        return group - 1, tf.gather(tf.gather(starts, group), end), ends

    *_, ends = tf.while_loop(
        lambda group, *_: group >= 0,
        go_back,
        (tf.constant(count - 1), tf.constant(last), tf.zeros([count + 1], tf.int32)),
    )
    return tf.gather(edges, ends)


def _closer(cuts: tf.Tensor, ordered: tf.Tensor, pieces: int, round_: tf.Tensor) -> tf.Tensor:
    """Return the positions around each cut at which the next round may cut.

    They reach to the cuts next to it in the first rounds, and an eighth as far with each further round; half of them
    are evenly spaced by position and half by number.

    Args:
        cuts: ``int32[count + 1]`` 0, and the positions at which groups end.
        ordered: ``int32[n]`` sorted numbers.
        pieces: Number of positions, about.
        round_: ``int32[]``.

    Returns:
        ``int32[m]`` positions, sorted, with the cuts among them; the others do not lie between equal numbers.
    """
    n = static_size(ordered)
    count = static_size(cuts) - 1
    half = max(1, pieces // (4 * count))
    steps = tf.range(-half, half + 1, dtype=tf.int64)[None]
    parts = half * tf.cast(tf.pow(_SHRINK, tf.maximum(round_ - _WIDE_ROUNDS + 1, 0)), tf.int64)

    def around(values: tf.Tensor) -> tf.Tensor:
        """Return ``int32[count - 1, 2 half + 1]`` values around each but the first and the last."""
        values = tf.cast(values, tf.int64)[:, None]
        before, here, after = values[:-2], values[1:-1], values[2:]
        near = here + tf.where(steps < 0, (here - before) * steps, (after - here) * steps) // parts
        return tf.cast(near, tf.int32)

    numbers = tf.gather(ordered, tf.clip_by_value(cuts - 1, 0, n - 1))
    at_positions = tf.gather(ordered, tf.clip_by_value(around(cuts) - 1, 0, n - 1))
    values = tf.reshape(tf.concat([at_positions, around(numbers)], axis=0), [-1])
    edges = tf.minimum(count_at_most(ordered, values), cuts[-1])
    return tf.sort(tf.concat([edges, cuts], axis=0))
