"""What the training loop remembers between steps and between calls, and the limits of a call."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.selectors import Plan

SEGMENTS = 64
"""How many stretches between two points of the evaluation grid one call can hold."""

COUNTS = ("steps", "samples", "scored", "plans")
"""What is counted: batches trained on, samples trained on, samples scored by a forward pass more, plans."""

FINE, NOT_FINITE, OUTSIDE, EMPTY, WEIGHTLESS, NO_ROW, NEGATIVE = range(7)
"""What stopped the loop: nothing, a loss that is not finite, a plan with indices outside the data set, a
plan without (or with too many) batches, a plan (or a batch taken from a pool) that begins with weight 0 or has
a weight that is not finite, a batch with rows that the pool does not have, a loss below 0 where losses are ranked."""


class BudgetWindow(NamedTuple):
    """What progress is measured by."""

    start: tf.Tensor
    """``int64[]`` samples trained on before."""
    budget: tf.Tensor
    """``int64[]`` samples to be trained on, at least 1."""
    size: tf.Tensor
    """``int64[]`` samples in the data. A tensor: of constants compilers take the inverse, which is inexact."""

    @classmethod
    def of(cls, start: int, budget: int, size: int) -> BudgetWindow:
        """A span out of plain numbers.

        Args:
            start: Samples trained on before.
            budget: Samples to be trained on.
            size: Samples in the data.
        """
        return cls(*(tf.constant(number, tf.int64) for number in (start, budget, size)))


class LoopState(NamedTuple):
    """All that the loop remembers from step to step, besides the model and its optimizer."""

    state: Any
    """State of the selector."""
    plan: Plan
    """The plan in use."""
    cursor: tf.Tensor
    """``int32[]`` batches of the plan that are done."""
    step: tf.Tensor
    """``int64[]`` batches trained on; updates too, unless several batches make one."""
    samples: tf.Tensor
    """``int64[]`` samples trained on."""
    scored: tf.Tensor
    """``int64[]`` samples of pools, each a forward pass more."""
    plans: tf.Tensor
    """``int64[]`` plans made."""
    fault: tf.Tensor
    """``int32[]`` why the loop stopped; 0 if it did not."""
    last_indices: tf.Tensor
    """``int32[b]`` samples of the last step."""
    last_losses: tf.Tensor
    """``float32[b]`` their losses."""
    losses: tf.Tensor
    """``float32[n]`` the last known loss of every sample, infinite for samples not seen yet."""
    visits: tf.Tensor
    """``int32[n]`` how often every sample was trained on."""


def left(loop_state: LoopState, window: BudgetWindow) -> tf.Tensor:
    """``int64[]`` samples of the budget that are left; negative if more were trained on.

    Args:
        loop_state: The carry.
        window: What progress is measured by.
    """
    return window.budget - (loop_state.samples - window.start)


def timestamp(loop_state: LoopState, window: BudgetWindow) -> Timestamp:
    """Where the run stands.

    Args:
        loop_state: The carry.
        window: What progress is measured by.
    """
    done = tf.cast(loop_state.samples - window.start, tf.float32)
    progress = tf.clip_by_value(done / tf.cast(window.budget, tf.float32), 0.0, 1.0)
    return Timestamp(progress, done / tf.cast(window.size, tf.float32))
