"""Checks of plans, selections and losses within the loop, which return a status."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.selectors import Plan, Selection
from batchsel.training.loop.loop_state import LoopStatus

_LOWEST = -1e-5
"""Rounding may put a loss of 0 slightly below it."""


def check_plan(plan: Plan, n: int, steps: int, width: int) -> tf.Tensor:
    """Check a plan.

    Args:
        plan: The plan.
        n: Samples in the data set.
        steps: Maximum number of its batches.
        width: Rows of a batch, or of a pool.

    Returns:
        ``int32[]`` a `LoopStatus`.
    """
    outside = tf.reduce_any((plan.indices < 0) | (plan.indices >= n))
    wrong_length = (plan.steps < 1) | (plan.steps > steps)
    usable = valid_weights(tf.reshape(plan.weights, [steps, width]))
    weightless = tf.reduce_any(tf.logical_not(usable) & (tf.range(steps) < plan.steps))
    status = tf.where(weightless, LoopStatus.INVALID_WEIGHTS, LoopStatus.OK)
    status = tf.where(outside, LoopStatus.INVALID_INDICES, status)
    return tf.where(wrong_length, LoopStatus.INVALID_PLAN_LENGTH, status)


def check_selection(selection: Selection, width: int, status: tf.Tensor) -> tf.Tensor:
    """Check the batch that was taken from a pool.

    Args:
        selection: The batch.
        width: Rows of the pool.
        status: ``int32[]`` the status so far.

    Returns:
        ``int32[]`` the new status.
    """
    outside = tf.reduce_any((selection.positions < 0) | (selection.positions >= width))
    status = tf.where(valid_weights(selection.weights), status, LoopStatus.INVALID_WEIGHTS)
    return tf.where(outside, LoopStatus.INVALID_POSITIONS, status)


def check_losses(losses: tf.Tensor, nonnegative: bool, status: tf.Tensor) -> tf.Tensor:
    """Check the losses of a batch.

    Args:
        losses: ``float32[b]``.
        nonnegative: Whether losses below 0 are an error too.
        status: ``int32[]`` the status so far.

    Returns:
        ``int32[]`` the new status.
    """
    finite = tf.reduce_all(tf.math.is_finite(losses))
    if nonnegative:
        status = tf.where(tf.reduce_any(losses < _LOWEST), LoopStatus.NEGATIVE_LOSS, status)
    return tf.where(finite, status, LoopStatus.NONFINITE_LOSS)


def valid_weights(weights: tf.Tensor) -> tf.Tensor:
    """Return whether all weights of a batch (last axis) are finite, and that of its first row is not 0.

    Args:
        weights: ``float32[..., b]``.

    Example:
        >>> valid_weights(tf.constant([[1.0, 0.0], [0.0, 1.0]])).numpy().tolist()
        [True, False]
    """
    first: Any = (..., 0)
    return tf.reduce_all(tf.math.is_finite(weights), axis=-1) & (weights[first] != 0)
