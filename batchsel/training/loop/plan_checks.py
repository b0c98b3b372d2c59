"""Checks of plans, selections and losses within the loop, which return a status."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_size
from batchsel.selectors import Plan, Selection
from batchsel.selectors.types import INVALID_SCORES, UNORDERED, ZERO_SCORES
from batchsel.training.loop.loop_state import LoopStatus

_LOWEST = -1e-5
"""Rounding may put a loss of 0 slightly below it."""
_CODES = (
    (INVALID_SCORES, LoopStatus.INVALID_SCORES),
    (ZERO_SCORES, LoopStatus.ZERO_SCORES),
    (UNORDERED, LoopStatus.UNORDERED),
)
"""Numbers in place of the steps of a plan, or of positions in a pool, and the status that each means."""


def check_plan(
    plan: Plan, n: int, steps: int, width: int, may_score: bool = False, short: int | None = None
) -> tf.Tensor:
    """Check a plan.

    Args:
        plan: The plan.
        n: Samples in the data set.
        steps: Maximum number of its batches.
        width: Rows of a batch, or of a pool.
        may_score: Whether batches of weight -1, which are only scored, are allowed.
        short: Rows of a batch that is not full, as `Selector.short_batch` returns them.

    Returns:
        ``int32[]`` a `LoopStatus`.
    """
    outside = tf.reduce_any((plan.indices < 0) | (plan.indices >= n))
    wrong_length = (plan.steps < 1) | (plan.steps > steps)
    weights = tf.reshape(plan.weights, [steps, width])
    used = tf.range(steps) < plan.steps
    weightless = tf.reduce_any(tf.logical_not(valid_weights(weights, may_score)) & used)
    status = tf.where(weightless, LoopStatus.INVALID_WEIGHTS, LoopStatus.OK)
    if short is not None:
        sizes = tf.math.count_nonzero(weights, axis=1, dtype=tf.int32)
        unexpected = tf.reduce_any((sizes != width) & (sizes != short) & used)
        status = tf.where(unexpected & (status == LoopStatus.OK), LoopStatus.INVALID_SIZE, status)
    status = tf.where(outside, LoopStatus.INVALID_INDICES, status)
    status = tf.where(wrong_length, LoopStatus.INVALID_PLAN_LENGTH, status)
    return _read_code(plan.steps, status)


def check_weightless(plan: Plan, width: int, status: tf.Tensor) -> tf.Tensor:
    """Check that a plan weighs no samples, but for rows of weight 0 that fill up a batch.

    Args:
        plan: The plan.
        width: Rows of a batch.
        status: ``int32[]`` the status so far.

    Returns:
        ``int32[]`` the new status.
    """
    used = tf.range(static_size(plan.weights)) < plan.steps * width
    weighted = tf.reduce_any((plan.weights != 0) & (plan.weights != 1) & used)
    return tf.where(weighted & (status == LoopStatus.OK), LoopStatus.WEIGHTED_PLAN, status)


def check_selection(selection: Selection, width: int, status: tf.Tensor, may_be_code: bool = False) -> tf.Tensor:
    """Check the batch that was taken from a pool.

    Args:
        selection: The batch.
        width: Rows of the pool.
        status: ``int32[]`` the status so far.
        may_be_code: Whether positions may be a code, as those of users are.

    Returns:
        ``int32[]`` the new status.
    """
    outside = tf.reduce_any((selection.positions < 0) | (selection.positions >= width))
    status = tf.where(valid_weights(selection.weights), status, LoopStatus.INVALID_WEIGHTS)
    status = tf.where(outside, LoopStatus.INVALID_POSITIONS, status)
    return _read_code(selection.positions[0], status) if may_be_code else status


def _read_code(number: tf.Tensor, status: tf.Tensor) -> tf.Tensor:
    for code, meaning in _CODES:
        status = tf.where(number == code, meaning, status)
    return status


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


def valid_weights(weights: tf.Tensor, may_score: bool = False) -> tf.Tensor:
    """Return whether all weights of a batch (last axis) are finite and not negative, and that of its first row not 0.

    Args:
        weights: ``float32[..., b]``.
        may_score: Whether -1 is allowed, in batches that are only scored.

    Example:
        >>> valid_weights(tf.constant([[1.0, 0.0], [0.0, 1.0]])).numpy().tolist()
        [True, False]
    """
    first: Any = (..., 0)
    usable = tf.reduce_all(tf.math.is_finite(weights) & (weights >= 0), axis=-1)
    if may_score:
        usable |= tf.reduce_all((weights == -1) | (weights == 0), axis=-1)
    return usable & (weights[first] != 0)


def valid_loss_weights(weights: tf.Tensor) -> tf.Tensor:
    """Return ``bool[]``, whether all factors of losses are finite and not negative.

    Args:
        weights: ``float32[b]``.

    Example:
        >>> bool(valid_loss_weights(tf.constant([1.0, 0.0]))), bool(valid_loss_weights(tf.constant([-1.0])))
        (True, False)
    """
    return tf.reduce_all(tf.math.is_finite(weights) & (weights >= 0))
