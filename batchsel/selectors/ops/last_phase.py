"""The last phase of a run on all of the data, for selectors that prune before it."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from batchsel.selectors.types import Context

_BITS = 23
"""Chances are summed as integers of so many bits, so that sums do not depend on the order of summation."""
_MARGIN = 1e-6
"""Added where numbers are rounded: compilers differ in the last bits of a formula."""
_SAME = 0.01
"""Epochs that make no difference."""


class LastPhase(NamedTuple):
    """The consequences of the last phase for the next plan.

    Example:
        >>> LastPhase(tf.constant(False), tf.constant(3)).reached.numpy().item()
        False
    """

    reached: tf.Tensor
    """``bool[]`` whether the plan belongs to the last phase."""
    steps: tf.Tensor
    """``int32[]`` the most steps that the plan may have, so that the last phase begins in time."""


def last_phase(delta: float, chances: tf.Tensor, context: Context) -> LastPhase:
    """Return whether the last phase is reached, and how long a plan before it may be.

    The last phase consists of whole passes over all of the data: of epochs 1, ..., C those with a number above δ C, as
    in the code of InfoBatch, which are L = ⌈(1 − δ) C⌉. If the budget counts epochs, C is known, and no plan is cut.

    If it counts samples, C is the largest number of epochs that they last for. With e plans so far, R samples left, and
    K samples kept by a plan on average (the next one included), they last for C epochs if (C − e − L) K + L n ≤ R. The
    plan belongs to the last phase if at most L n samples are left, and otherwise ends when they are.

    Args:
        delta: δ, in [0, 1].
        chances: ``float64[n]`` probabilities with which the plan keeps the samples before the last phase.
        context: The run at this step.

    Example:
        >>> from batchsel.testing.fixtures import example_context
        >>> half = tf.fill([50], tf.constant(0.5, tf.float64))
        >>> [last_phase(0.875, half, example_context(50, 8, plans=9, budget=400, left=left)).steps.numpy().item()
        ...  for left in (120, 100)]
        [3, 7]
    """
    n, room = context.n, tf.constant(-(-context.n // context.batch_size))
    if delta >= 1:
        return LastPhase(tf.constant(False), room)
    if delta <= 0:
        return LastPhase(tf.constant(True), room)
    used, left = context.budget - context.budget_left, context.budget_left
    words = tf.cast(chances * 2.0**_BITS, tf.int64)
    kept = tf.cast(tf.reduce_sum(words), tf.float64) / 2.0**_BITS
    epochs = tf.cast(context.fit_plans, tf.float64)
    mean = tf.clip_by_value((tf.cast(used, tf.float64) + kept) / (epochs + 1), 1, n)
    ratio = delta / (1 - delta)
    room_left = tf.cast(left + context.batch_size, tf.float64)  # a plan that is cut ends with a whole batch

    def is_affordable(passes: tf.Tensor) -> tf.Tensor:
        fewest = tf.floor((passes - 1) / (1 - delta) + _MARGIN) + 1  # epochs of which so many are in the last phase
        return tf.maximum(fewest - epochs - passes, 0) * mean + passes * n <= room_left

    # Without rounding epochs, the equation is linear; rounding them makes at most one pass more affordable.
    passes = tf.minimum((room_left + (epochs + ratio) * mean) / (n + ratio * mean), room_left / n)
    passes = tf.floor(passes - _MARGIN)
    passes = tf.maximum(tf.where(is_affordable(passes + 1), passes + 1, passes), 1)
    phase = tf.cast(passes, tf.int64) * n
    steps = tf.clip_by_value((left - phase + context.batch_size - 1) // context.batch_size, 1, tf.cast(room, tf.int64))
    whole = (left <= phase) | tf.reduce_all(words >= 2**_BITS)  # a pass that keeps all samples need not end early
    by_samples = LastPhase(left <= phase, tf.where(whole, room, tf.cast(steps, tf.int32)))
    # The number of this epoch; a whole number up to the precision of float32, in which progress is given.
    total = tf.cast(context.budget, tf.float64) / n
    number = tf.cast(context.progress, tf.float64) * total + 1
    by_epochs = LastPhase(number > delta * total + _SAME, room)
    return tf.nest.map_structure(
        lambda first, second: tf.where(context.counts_epochs, first, second), by_epochs, by_samples
    )


def last_pass(context: Context) -> LastPhase:
    """Return whether the next plan is the last pass, which holds all of the data, and how long a plan before it may be.

    Args:
        context: The run at this step.

    Example:
        >>> from batchsel.testing.fixtures import example_context
        >>> found = [last_pass(example_context(50, 8, budget=400, left=left)) for left in (400, 70, 48)]
        >>> [(bool(phase.reached), int(phase.steps)) for phase in found]
        [(False, 7), (False, 3), (True, 7)]
    """
    n, b, left = context.n, context.batch_size, context.budget_left
    room = -(-n // b)
    steps = tf.cast(tf.clip_by_value((left - n + b - 1) // b, 1, room), tf.int32)
    reached = left <= n
    return LastPhase(reached, tf.where(context.counts_epochs | reached, room, steps))
