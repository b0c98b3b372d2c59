"""State of the training loop between steps and between calls, and the budget of a call."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.selectors import Plan

SEGMENTS = 64
"""Maximum number of segments in one call; a segment ends at a point of the evaluation grid."""

COUNTS = ("steps", "samples", "scored", "plans")
"""Names of the counters: batches trained on, samples trained on, samples scored by extra forward passes, plans."""


class LoopStatus(enum.IntEnum):
    """Reasons for the loop to stop. The numbers are stored in checkpoints."""

    OK = 0
    """No error."""
    NONFINITE_LOSS = 1
    """A loss is NaN or infinite."""
    INVALID_INDICES = 2
    """A plan has sample numbers outside the data set."""
    INVALID_PLAN_LENGTH = 3
    """A plan has no batch, or more than it may."""
    INVALID_WEIGHTS = 4
    """A batch begins with weight 0, or has a weight that is not finite."""
    INVALID_POSITIONS = 5
    """A batch taken from a pool has rows that the pool does not have."""
    NEGATIVE_LOSS = 6
    """A loss is below 0 where the selector ranks losses."""


class BudgetWindow(NamedTuple):
    """The samples that a call of fit is to train on, by which progress is measured."""

    start: tf.Tensor
    """``int64[]`` samples trained on before."""
    budget: tf.Tensor
    """``int64[]`` samples to be trained on, at least 1."""
    size: tf.Tensor
    """``int64[]`` samples in the data. A tensor, because compilers multiply by the inexact inverse of a constant."""

    @classmethod
    def from_numbers(cls, start: int, budget: int, size: int) -> BudgetWindow:
        """Return a window from plain numbers.

        Args:
            start: Samples trained on before.
            budget: Samples to be trained on.
            size: Samples in the data.
        """
        return cls(*(tf.constant(number, tf.int64) for number in (start, budget, size)))


class LoopState(NamedTuple):
    """State of the loop from step to step, without the model and its optimizer."""

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
    """``int64[]`` samples scored, each by an extra forward pass."""
    plans: tf.Tensor
    """``int64[]`` plans made."""
    status: tf.Tensor
    """``int32[]`` a `LoopStatus`."""
    last_indices: tf.Tensor
    """``int32[b]`` samples of the last step."""
    last_losses: tf.Tensor
    """``float32[b]`` their losses."""
    losses: tf.Tensor
    """``float32[n]`` the last known loss of every sample, infinite for samples without one."""
    visits: tf.Tensor
    """``int32[n]`` number of times that each sample was trained on."""
    window: Any = ()
    """The `BudgetWindow` of the call under way: an input that is not stored, hence an empty tuple between calls."""

    @property
    def timestamp(self) -> Timestamp:
        """Time of the run, relative to its budget and its data."""
        done = tf.cast(self.samples - self.window.start, tf.float32)
        progress = tf.clip_by_value(done / tf.cast(self.window.budget, tf.float32), 0.0, 1.0)
        return Timestamp(progress, done / tf.cast(self.window.size, tf.float32))

    @property
    def samples_left(self) -> tf.Tensor:
        """``int64[]`` samples of the budget that are left; negative if more were trained on."""
        return self.window.budget - (self.samples - self.window.start)
