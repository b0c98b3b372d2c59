"""Ranks, means and quantiles of scores, the same in every mode."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.selectors.ops.sampling import kth_largest, quantize


def descending_ranks(scores: tf.Tensor, rng: Rng) -> tf.Tensor:
    """Rank all scores in descending order, ties in random order.

    Args:
        scores: ``[n]``, compared in float32.
        rng: Random numbers.

    Returns:
        ``int32[n]``, 0 for the highest.

    Example:
        >>> descending_ranks(tf.constant([2.0, 9.0, 1.0]), Rng(0, 0)).numpy().tolist()
        [1, 0, 2]
    """
    n = static_size(scores)
    order = rng.permutation(n, "ties")
    descending = tf.argsort(-tf.gather(tf.cast(scores, tf.float32), order), stable=True)
    return tf.scatter_nd(tf.gather(order, descending)[:, None], tf.range(n), [n])


def below_mean(scores: tf.Tensor) -> tf.Tensor:
    """Mark the finite scores below their mean.

    It sums integers, so that the result does not depend on the order of summation.

    Args:
        scores: ``float64[n]``, not negative.

    Returns:
        ``bool[n]``.

    Example:
        >>> below_mean(tf.constant([1.0, 2.0, 9.0, float("inf")], tf.float64)).numpy().tolist()
        [True, True, False, False]
    """
    known = tf.math.is_finite(scores)
    levels = quantize(scores)
    total = tf.reduce_sum(tf.where(known, levels, 0))
    count = tf.math.count_nonzero(known, dtype=tf.int64)
    return known & (levels * count < total)


def quantile(scores: tf.Tensor, share: float | tf.Tensor) -> tf.Tensor:
    """Return the smallest finite score that at least a share of the finite scores do not exceed.

    Args:
        scores: ``float64[n]``, not negative.
        share: In [0, 1].

    Returns:
        ``float32[]``; infinity if no score is finite.

    Example:
        >>> float(quantile(tf.constant([4.0, 1.0, float("inf"), 2.0, 3.0], tf.float64), 0.5))
        2.0
    """
    unknown, known = _counts(scores)
    return kth_largest(_unknown_as_inf(scores), unknown + known - _share_of(known, share) + 1)


def upper_quantile(scores: tf.Tensor, share: float | tf.Tensor) -> tf.Tensor:
    """Return the largest finite score that at least a share of the finite scores reach.

    Args:
        scores: ``float64[n]``, not negative.
        share: In [0, 1].

    Returns:
        ``float32[]``; infinity if no score is finite.

    Example:
        >>> float(upper_quantile(tf.constant([4.0, 1.0, float("inf"), 2.0, 3.0], tf.float64), 0.5))
        3.0
    """
    unknown, known = _counts(scores)
    return kth_largest(_unknown_as_inf(scores), tf.where(known > 0, unknown + _share_of(known, share), 1))


def _counts(scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Count the scores that are not finite, and those that are."""
    known = tf.math.count_nonzero(tf.math.is_finite(scores), dtype=tf.int32)
    return static_size(scores) - known, known


def _share_of(count: tf.Tensor, share: float | tf.Tensor) -> tf.Tensor:
    """Return a share of a count, rounded up, at least 1."""
    # A little less, so that rounding cannot step over a whole number.
    rounded = tf.math.ceil(tf.cast(share, tf.float64) * tf.cast(count, tf.float64) - 1e-6)
    return tf.clip_by_value(tf.cast(rounded, tf.int32), 1, tf.maximum(count, 1))


def _unknown_as_inf(scores: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_finite(scores), scores, float("inf"))


def below_quantile(scores: tf.Tensor, share: float | tf.Tensor) -> tf.Tensor:
    """Mark the finite scores below their quantile.

    Args:
        scores: ``float64[n]``, not negative.
        share: In [0, 1].

    Returns:
        ``bool[n]``.

    Example:
        >>> below_quantile(tf.constant([4.0, 1.0, float("inf"), 2.0, 3.0], tf.float64), 0.5).numpy().tolist()
        [False, True, False, False, False]
    """
    return tf.math.is_finite(scores) & (tf.cast(scores, tf.float32) < quantile(scores, share))


def mean_of_finite(scores: tf.Tensor) -> tf.Tensor:
    """Return the mean of the finite scores, a safe divisor: 1 if it is 0 or no score is finite.

    Args:
        scores: ``float64[n]``, not negative.

    Returns:
        ``float64[]``.

    Example:
        >>> float(mean_of_finite(tf.constant([1.0, 3.0, float("inf")], tf.float64)))
        2.0
    """
    finite = tf.math.is_finite(scores)
    count = tf.maximum(tf.math.count_nonzero(finite), 1)
    mean = tf.reduce_sum(tf.where(finite, scores, 0)) / tf.cast(count, tf.float64)
    return tf.where(mean > 0, mean, 1)
