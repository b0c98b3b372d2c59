"""Sampling primitives: systematic draws, filtering, padding."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.selectors.ops.score_log import note_drawn, note_scores
from batchsel.selectors.types import Plan

_LEVELS = 2.0**24
_FEW = 8
"""Up to one point for so many samples, each point is looked up by bisection; more are found in one sweep."""
_SLACK = 2.0**-8
"""Added before a fraction is cut off: compilers differ in the last bits, and many formulas yield whole numbers."""


def quantize(scores: tf.Tensor) -> tf.Tensor:
    """Quantize scores to integers, so that sums do not depend on the order of summation.

    Args:
        scores: ``float64[n]``; infinite, negative, subnormal and NaN scores count as 0.

    Returns:
        ``int64[n]``: 2^24 for the largest score, at least 1 for any positive one, and all ones where no
        score is positive.

    Example:
        >>> quantize(tf.constant([0.0, 1.0, 4.0], tf.float64)).numpy().tolist()
        [0, 4194304, 16777216]
    """
    usable = tf.math.is_finite(scores) & (scores > 0)
    zero, one = tf.zeros([], scores.dtype), tf.ones([], scores.dtype)
    scores = tf.where(usable, scores, zero)
    largest = tf.reduce_max(scores)
    levels = tf.cast(scores / tf.where(largest > 0, largest, one) * _LEVELS + _SLACK, tf.int64)
    levels = tf.where(usable, tf.maximum(levels, 1), 0)
    return tf.where(largest > 0, levels, tf.ones_like(levels))


def bernoulli(chances: tf.Tensor, rng: Rng, stream: str) -> tf.Tensor:
    """Draw independent events of given probabilities.

    Args:
        chances: ``float64[n]`` in [0, 1], cut to 23 bits; an event of probability 1 happens.
        rng: Random numbers.
        stream: Name of the stream.

    Returns:
        ``bool[n]``.

    Example:
        >>> bernoulli(tf.constant([0.0, 1.0], tf.float64), Rng(0, 0), "example").numpy().tolist()
        [False, True]
    """
    note_scores(chances, may_be_zero=True)
    words = tf.bitcast(rng.bits([static_size(chances)], stream), tf.uint32)
    words = tf.cast(tf.bitwise.right_shift(words, tf.constant(9, tf.uint32)), tf.int32)
    return words < tf.cast(chances * 2.0**23 + _SLACK, tf.int32)


def kth_largest(scores: tf.Tensor, k: int | tf.Tensor) -> tf.Tensor:
    """Return the k-th largest score in float32.

    It is found bit by bit, which takes a tenth of the time of sorting in XLA on a CPU.

    Args:
        scores: ``[n]``, not negative; infinity counts as a number, NaN as 0.
        k: Its rank from 1, at most n.

    Returns:
        ``float32[]``.

    Example:
        >>> float(kth_largest(tf.constant([3.0, 1.0, 2.0]), 2))
        2.0
    """
    # The bits of numbers that are not negative are in the order of the numbers.
    words = tf.bitcast(tf.cast(tf.where(tf.math.is_nan(scores), tf.zeros_like(scores), scores), tf.float32), tf.int32)

    def refine(bit: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        higher = found | tf.bitwise.left_shift(1, bit)
        enough = tf.math.count_nonzero(words >= higher, dtype=tf.int32) >= k
        return bit - 1, tf.where(enough, higher, found)

    _, found = tf.while_loop(lambda bit, found: bit >= 0, refine, (tf.constant(30), tf.constant(0)))
    return tf.bitcast(found, tf.float32)


def systematic(shares: tf.Tensor, rows: int, rng: Rng, stream: str) -> tf.Tensor:
    """Draw rows so that sample i is expected `rows * shares[i] / sum(shares)` times.

    Random-order systematic sampling: the samples are laid in random order on a line, each as long as its
    share, and `rows` evenly spaced points with a random start pick them. A sample appears the expected
    number of times rounded down or up, so one with an expectation below 1 appears at most once. All
    arithmetic is in integers, hence the same in every mode.
    Source: R. Goodman and L. Kish, *Controlled Selection*, JASA 45 (1950).

    Args:
        shares: ``int64[n]``, not negative, with a positive sum of at most 2^62, and at most 2^48 * rows.
        rows: Number of rows to draw, static.
        rng: Random numbers.
        stream: Name of the stream; draws with different names are independent.

    Returns:
        ``int32[rows]``; neighbors may be the same sample, see `deal_into_batches`.

    Example:
        >>> drawn = systematic(tf.constant([1, 0, 1], tf.int64), 2, Rng(0, 0), "example")
        >>> sorted(drawn.numpy().tolist())
        [0, 2]
    """
    n = static_size(shares)
    note_scores(shares)
    order = rng.permutation(n, stream)
    # Scaled up, so that rounding the spacing down to an integer has no effect even if shares are few and small.
    shares *= tf.maximum((1 << 47) // tf.reduce_sum(shares), 1)
    ends = tf.cumsum(tf.gather(shares, order))
    spacing = ends[-1] // rows
    start = rng.integer_below(ends[-1] - spacing * (rows - 1), stream + "/start")
    if rows * _FEW >= n:
        return note_drawn(tf.gather(order, _count_at_most_evenly(ends, start, spacing, rows)), n)
    points = start + spacing * tf.range(rows, dtype=tf.int64)
    return note_drawn(tf.gather(order, tf.minimum(count_at_most(ends, points), static_size(ends) - 1)), n)


def _count_at_most_evenly(ends: tf.Tensor, start: tf.Tensor, spacing: tf.Tensor, rows: int) -> tf.Tensor:
    """Return `count_at_most` of the points ``start + spacing j``, below n, by counting the ends between two points."""
    passed = tf.maximum(ends - start + spacing - 1, 0) // spacing
    passed = tf.cast(tf.minimum(passed, rows), tf.int32)
    ended = tf.scatter_nd(passed[:, None], tf.ones(passed.shape, tf.int32), [rows + 1])
    return tf.minimum(tf.cumsum(ended)[:rows], static_size(ends) - 1)


def count_at_most(ordered: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Count the numbers that are at most each point, by bisection (tf.searchsorted is slow in XLA).

    Args:
        ordered: ``[n]`` sorted numbers.
        points: ``[k]``, of the same type.

    Returns:
        ``int32[k]`` in [0, n].

    Example:
        >>> count_at_most(tf.constant([1, 3, 3]), tf.constant([0, 3, 9])).numpy().tolist()
        [0, 3, 3]
    """
    n = static_size(ordered)
    counts = tf.zeros(points.shape, tf.int32)
    jump = 1 << (n.bit_length() - 1)
    while jump:
        further = counts + jump
        reached = (further <= n) & (tf.gather(ordered, tf.minimum(further, n) - 1) <= points)
        counts = tf.where(reached, further, counts)
        jump //= 2
    return counts


def first_then_shares(scores: tf.Tensor, rows: int) -> tf.Tensor:
    """Convert scores to shares for `systematic`, with samples of infinite score before all others.

    If they fill the plan, it is drawn from them alone. Otherwise each is expected exactly once, and the rest of
    the rows goes to the others in proportion to their scores.

    Args:
        scores: ``float64[n]``, infinite for samples that come first.
        rows: Number of rows that will be drawn.

    Returns:
        ``int64[n]``.

    Example:
        >>> first_then_shares(tf.constant([float("inf"), 1.0, 1.0], tf.float64), 2).numpy().tolist()
        [33554432, 16777216, 16777216]
    """
    note_scores(scores)
    first = tf.math.is_inf(scores)
    waiting = tf.reduce_sum(tf.cast(first, tf.int64))
    # The sum may reach n * 2^24 * rows; the levels are made coarser where that would not fit into 62 bits.
    excess = max(0, static_size(scores).bit_length() + 24 + rows.bit_length() - 62)
    levels = quantize(scores)
    levels = tf.where(levels > 0, tf.maximum(tf.bitwise.right_shift(levels, tf.constant(excess, tf.int64)), 1), 0)
    shares = tf.where(first, tf.zeros([], tf.int64), levels)
    left = tf.maximum(rows - waiting, 1)
    once = (tf.reduce_sum(shares) + left - 1) // left
    mixed = tf.where(first, tf.maximum(once, 1), shares)
    return tf.where(waiting >= rows, tf.cast(first, tf.int64), mixed)


def deal_into_batches(rows: tf.Tensor, steps: int) -> tf.Tensor:
    """Deal rows to batches in turn, like cards, so that each batch is itself a systematic sample.

    Args:
        rows: ``int32[steps * b]`` in the order in which they were drawn.
        steps: Number of batches.

    Returns:
        ``int32[steps * b]``, batch after batch.

    Example:
        >>> deal_into_batches(tf.constant([5, 5, 7, 7]), steps=2).numpy().tolist()
        [5, 7, 5, 7]
    """
    count = static_size(rows)
    batch_size = count // steps
    places = tf.range(count)
    return tf.gather(rows, places % batch_size * steps + places // batch_size)


def plan_in_proportion(scores: tf.Tensor, steps: int, batch_size: int, rng: Rng) -> Plan:
    """Draw a plan in proportion to scores; samples of infinite score come first, and all weights are 1.

    Args:
        scores: ``float64[n]``, not negative.
        steps: Number of batches.
        batch_size: b.
        rng: Random numbers.

    Example:
        >>> scores = tf.constant([0.0, 1.0, 0.0], tf.float64)
        >>> plan_in_proportion(scores, steps=1, batch_size=2, rng=Rng(0, 0)).indices.numpy().tolist()
        [1, 1]
    """
    rows = steps * batch_size
    drawn = systematic(first_then_shares(scores, rows), rows, rng, "proportional")
    indices = note_drawn(deal_into_batches(drawn, steps), static_size(scores))
    return Plan(indices, tf.ones([rows]), tf.constant(steps))


def partition_kept(order: tf.Tensor, keep: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Move the kept samples to the front and the others behind them, each in their order.

    Args:
        order: ``int32[n]`` sample numbers.
        keep: ``bool[n]``, by sample number.

    Returns:
        ``int32[n]`` sample numbers, and ``int32[]`` how many are kept.

    Example:
        >>> rows, kept = partition_kept(tf.constant([2, 0, 1]), tf.constant([True, False, True]))
        >>> rows.numpy().tolist(), int(kept)
        ([2, 0, 1], 2)
    """
    flags = tf.cast(tf.gather(keep, order), tf.int32)
    kept = tf.reduce_sum(flags)
    places = tf.where(flags > 0, tf.cumsum(flags) - 1, kept + tf.cumsum(1 - flags) - 1)
    return tf.scatter_nd(places[:, None], order, order.shape), kept


def padded_plan(order: tf.Tensor, count: tf.Tensor, batch_size: int, weights: tf.Tensor | None = None) -> Plan:
    """Plan the first `count` rows, with padding rows of weight 0 at the end of the last batch.

    Padding rows are real samples, so that batch normalization sees nothing unusual.

    Args:
        order: ``int32[n]`` sample numbers in the order of their use.
        count: ``int32[]`` number of them to train on; at least one is.
        batch_size: b.
        weights: ``float32[n]`` weights of the samples by sample number; ones if None.

    Returns:
        A plan of ceil(n / b) * b rows.

    Example:
        >>> plan = padded_plan(tf.constant([4, 2, 0]), tf.constant(1), batch_size=2)
        >>> plan.indices.numpy().tolist(), plan.weights.numpy().tolist(), int(plan.steps)
        ([4, 2, 0, 4], [1.0, 0.0, 0.0, 0.0], 1)
    """
    n = static_size(order)
    count = tf.maximum(tf.cast(count, tf.int32), 1)
    rows = -(-n // batch_size) * batch_size
    places = tf.range(rows)
    indices = tf.gather(order, tf.math.floormod(places, n))
    real = tf.ones([rows]) if weights is None else tf.gather(weights, indices)
    return Plan(indices, tf.where(places < count, real, 0.0), (count + batch_size - 1) // batch_size)


def rest_scored(order: tf.Tensor, count: tf.Tensor, batch_size: int, weight: tf.Tensor, score: tf.Tensor) -> Plan:
    """Plan to train on the first `count` rows and to score the others in batches behind them.

    Args:
        order: ``int32[n]`` sample numbers in the order of their use.
        count: ``int32[]`` number of them to train on; at least one is.
        batch_size: b.
        weight: ``float32[]`` weight of the samples trained on.
        score: ``bool[]`` whether the others are scored; otherwise they are left out.

    Returns:
        A plan of (ceil(n / b) + 1) * b rows.

    Example:
        >>> plan = rest_scored(tf.constant([4, 2, 0]), tf.constant(1), 2, tf.constant(1.5), tf.constant(True))
        >>> plan.indices.numpy().tolist(), plan.weights.numpy().tolist(), int(plan.steps)
        ([4, 2, 2, 0, 4, 2], [1.5, 0.0, -1.0, -1.0, 0.0, 0.0], 2)
    """
    n = static_size(order)
    count = tf.maximum(tf.cast(count, tf.int32), 1)
    training = (count + batch_size - 1) // batch_size
    places = tf.range((-(-n // batch_size) + 1) * batch_size)
    behind = places - training * batch_size
    indices = tf.gather(order, tf.math.floormod(tf.where(behind < 0, places, count + behind), n))
    trained = tf.where(places < count, weight, 0.0)
    weights = tf.where(behind < 0, trained, tf.where(count + behind < n, -1.0, 0.0))
    scoring = (n - count + batch_size - 1) // batch_size
    return Plan(indices, weights, training + tf.where(score, scoring, 0))


def successive(shares: tf.Tensor, rng: Rng, stream: str) -> tf.Tensor:
    """Draw all samples one after the other without replacement, each in proportion to its share of what is left.

    The times at which independent exponential clocks ring whose rates are the shares are in this order.
    Source: P. S. Efraimidis and P. G. Spirakis, *Weighted Random Sampling with a Reservoir*, 2006.

    Args:
        shares: ``float64[n]``, not negative; those of share 0 come last, in their order.
        rng: Random numbers.
        stream: Name of the stream.

    Returns:
        ``int32[n]`` sample numbers in the order in which they were drawn.

    Example:
        >>> successive(tf.constant([0.0, 2.0, 0.0], tf.float64), Rng(0, 0), "example").numpy().tolist()
        [1, 0, 2]
    """
    note_scores(shares, may_be_zero=True)
    words = tf.bitcast(rng.bits([static_size(shares)], stream), tf.uint32)
    chances = (tf.cast(words, tf.float64) + 0.5) * 2.0**-32
    times = -tf.math.log(chances) / tf.where(shares > 0, shares, 1.0)
    return tf.argsort(tf.where(shares > 0, times, float("inf")), stable=True)


def scatter_update(state: tf.Tensor, indices: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Write rows into per-sample state, in place where TensorFlow can.

    Args:
        state: ``[n, ...]``.
        indices: ``int32[b]`` sample numbers.
        rows: ``[b, ...]`` their new state.

    Returns:
        ``[n, ...]``.

    Example:
        >>> scatter_update(tf.zeros([3]), tf.constant([1]), tf.constant([5.0])).numpy().tolist()
        [0.0, 5.0, 0.0]
    """
    return tf.tensor_scatter_nd_update(state, indices[:, None], rows)
