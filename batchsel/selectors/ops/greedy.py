"""Greedy subset selection: rows of a pool, each picked for what it adds to the rows before it."""

from __future__ import annotations

import tensorflow as tf

_TINY = 1e-6


def last_layer_products(residuals: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
    """Return inner products of the last layer's gradients (kernel and bias) without computing the gradients.

    The gradient of sample i is (p − y) ⊗ (h, 1), so the product of two is that of their residuals times that of (h, 1).

    Args:
        residuals: ``float32[B, c]`` p − y.
        features: ``float32[B, d]`` h, the input of the last layer.

    Returns:
        ``float32[B, B]``.

    Example:
        >>> last_layer_products(tf.constant([[1.0], [2.0]]), tf.constant([[3.0], [0.0]])).numpy().tolist()
        [[10.0, 2.0], [2.0, 4.0]]
    """
    return tf.matmul(residuals, residuals, transpose_b=True) * (tf.matmul(features, features, transpose_b=True) + 1)


def orthogonal(products: tf.Tensor, toward: tf.Tensor | None, valid: tf.Tensor, count: int) -> tf.Tensor:
    """Pick rows greedily by their residuals after projection on the rows picked before.

    It is a pivoted Cholesky factorization of the matrix of inner products. Without `toward` it picks the row with the
    longest residual; with it the row whose residual points most along the residual of that vector.

    Args:
        products: ``float32[B, B]`` inner products of the rows.
        toward: ``float32[B]`` inner products of the rows with a vector, or None.
        valid: ``bool[B]`` rows that may be picked.
        count: How many are picked, at most B.

    Returns:
        ``int32[count]``, all different.

    Example:
        >>> rows = tf.constant([[3.0, 0.0], [2.9, 0.1], [0.0, 1.0]])
        >>> products = tf.matmul(rows, rows, transpose_b=True)
        >>> orthogonal(products, None, tf.constant([True, True, True]), 2).numpy().tolist()
        [0, 2]
    """
    size = products.shape[0]
    lengths = tf.linalg.diag_part(products)
    tiny = _TINY * tf.maximum(tf.reduce_max(lengths), 1e-30)
    target = tf.zeros([size]) if toward is None else toward

    def pick(i: tf.Tensor, rests: tf.Tensor, target: tf.Tensor, factor: tf.Tensor, picked: tf.Tensor) -> tuple:
        gain = rests if toward is None else tf.square(target) / tf.maximum(rests, tiny)
        gain = tf.where(rests > tiny, gain, 0.0)
        row = _best(gain, picked, i, valid)
        rest = tf.gather(rests, row)
        length = tf.sqrt(tf.maximum(rest, tiny))
        before = tf.linalg.matvec(factor, tf.gather(factor, row, axis=1), transpose_a=True)
        along = tf.where(rest > tiny, (tf.gather(products, row) - before) / length, 0.0)
        rests, target = tf.maximum(rests - tf.square(along), 0.0), target - along * tf.gather(target, row) / length
        factor = tf.tensor_scatter_nd_update(factor, [[i]], along[None])
        return i + 1, rests, target, factor, tf.tensor_scatter_nd_update(picked, [[i]], [row])

    start = (tf.constant(0), lengths, target, tf.zeros([count, size]), tf.fill([count], -1))
    *_, picked = tf.while_loop(lambda i, *_: i < count, pick, start)
    return picked


def farthest(products: tf.Tensor, valid: tf.Tensor, count: int) -> tf.Tensor:
    """Pick rows greedily, each farthest from its nearest picked neighbor; the most central row first.

    Source: T. F. Gonzalez, *Clustering to Minimize the Maximum Intercluster Distance*, 1985.

    Args:
        products: ``float32[B, B]`` inner products of the rows.
        valid: ``bool[B]`` rows that may be picked.
        count: How many are picked, at most B.

    Returns:
        ``int32[count]``, all different.

    Example:
        >>> rows = tf.constant([[0.0], [0.1], [5.0], [-4.0]])
        >>> farthest(tf.matmul(rows, rows, transpose_b=True), tf.ones([4], tf.bool), 3).numpy().tolist()
        [1, 2, 3]
    """
    lengths = tf.linalg.diag_part(products)
    real = tf.cast(valid, tf.float32)
    to_center = lengths - 2 * tf.linalg.matvec(products, real) / tf.maximum(tf.reduce_sum(real), 1.0)
    nearest = tf.reduce_max(to_center) - to_center  # in the first round the most central row has the largest

    def pick(i: tf.Tensor, nearest: tf.Tensor, picked: tf.Tensor) -> tuple:
        row = _best(nearest, picked, i, valid)
        distances = tf.maximum(lengths + tf.gather(lengths, row) - 2 * tf.gather(products, row), 0.0)
        nearest = tf.where(i == 0, distances, tf.minimum(nearest, distances))
        return i + 1, nearest, tf.tensor_scatter_nd_update(picked, [[i]], [row])

    start = (tf.constant(0), nearest, tf.fill([count], -1))
    *_, picked = tf.while_loop(lambda i, *_: i < count, pick, start)
    return picked


def graph_cut(similarities: tf.Tensor, valid: tf.Tensor, count: int, redundancy: float) -> tf.Tensor:
    """Pick rows greedily by their similarity to all rows, minus their similarity to the rows picked before.

    Args:
        similarities: ``float32[B, B]``, symmetric.
        valid: ``bool[B]`` rows that may be picked; others do not count as similar either.
        count: How many are picked, at most B.
        redundancy: λ, weight of the similarity to picked rows, at least 0.

    Returns:
        ``int32[count]``, all different.

    Example:
        >>> alike = tf.constant([[1.0, 0.9, 0.0], [0.9, 1.0, 0.2], [0.0, 0.2, 1.0]])
        >>> graph_cut(alike, tf.ones([3], tf.bool), 2, redundancy=1.0).numpy().tolist()
        [1, 2]
    """
    gains = tf.linalg.matvec(similarities, tf.cast(valid, tf.float32))

    def pick(i: tf.Tensor, gains: tf.Tensor, picked: tf.Tensor) -> tuple:
        row = _best(gains, picked, i, valid)
        picked = tf.tensor_scatter_nd_update(picked, [[i]], [row])
        return i + 1, gains - 2 * redundancy * tf.gather(similarities, row), picked

    start = (tf.constant(0), gains, tf.fill([count], -1))
    *_, picked = tf.while_loop(lambda i, *_: i < count, pick, start)
    return picked


def _best(gain: tf.Tensor, picked: tf.Tensor, count: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Return the row of highest gain that is not picked yet; invalid rows come last."""
    taken = tf.reduce_any((picked[None] == tf.range(gain.shape[0])[:, None]) & (tf.range(picked.shape[0]) < count), 1)
    gain = tf.where(valid, gain, -1e30)
    return tf.argmax(tf.where(taken, float("-inf"), gain), output_type=tf.int32)
