"""State of the training loop between steps and between calls, and the budget of a call."""

from __future__ import annotations

import enum
import functools
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
    """A batch begins with weight 0, or has a weight that is negative or not finite."""
    INVALID_POSITIONS = 5
    """A batch taken from a pool has rows that the pool does not have."""
    NEGATIVE_LOSS = 6
    """A loss is below 0 where the selector ranks losses."""
    INVALID_SCORES = 7
    """A score is negative or NaN."""
    INVALID_LOSS_WEIGHTS = 8
    """A factor of a loss is negative or not finite."""
    INVALID_SIZE = 9
    """A batch has other than the number of rows that the selector says of short batches."""
    ZERO_SCORES = 10
    """Samples are drawn in proportion to scores of which none is positive, although losses are known."""
    UNORDERED = 11
    """Samples are put in the order of numbers of which some are NaN."""
    WEIGHTED_PLAN = 12
    """A plan weighs samples, and the model takes no weights."""


class BudgetWindow(NamedTuple):
    """The budget of a call of fit, by which progress is measured, and where the call began.

    A budget counts samples, or epochs of the selector, each of which is a plan. A budget of epochs is measured in
    positions: every plan advances the position by n, in proportion to the samples of it that are done. For a selector
    whose plans hold all samples, positions are samples.
    """

    start: tf.Tensor
    """``int64[]`` samples trained on before."""
    budget: tf.Tensor
    """``int64[]`` samples to be trained on, or positions to be passed; at least 1."""
    size: tf.Tensor
    """``int64[]`` samples in the data. A tensor, because compilers multiply by the inexact inverse of a constant."""
    origin: tf.Tensor
    """``int64[]`` position at the start: samples trained on before, if the budget counts samples."""
    plans: tf.Tensor
    """``int64[]`` plans made before."""
    by_plan: tf.Tensor
    """``bool[]`` true if the budget counts epochs, false if samples."""
    first_step: tf.Tensor
    """``int64[]`` steps taken before, if an epoch is a number of steps."""
    steps: tf.Tensor
    """``int64[]`` steps of an epoch, each of which advances the position by its share of n; 0 if they do not count."""

    @property
    def counts_samples(self) -> tf.Tensor:
        """``bool[]``, true if positions are samples."""
        return tf.logical_not(self.by_plan | (self.steps > 0))

    @classmethod
    def from_numbers(
        cls,
        start: int,
        budget: int,
        size: int,
        *,
        origin: int | None = None,
        plans: int = 0,
        by_plan: bool = False,
        first_step: int = 0,
        steps: int = 0,
    ) -> BudgetWindow:
        """Return a window from plain numbers.

        Args:
            start: Samples trained on before.
            budget: Samples to be trained on, or positions to be passed.
            size: Samples in the data.
            origin: Position at the start; None for `start`.
            plans: Plans made before.
            by_plan: Whether the budget counts epochs.
            first_step: Steps taken before.
            steps: Steps of an epoch; 0 if an epoch is no number of steps.
        """
        origin = start if origin is None else origin
        number = functools.partial(tf.constant, dtype=tf.int64)
        return cls(
            number(start), number(budget), number(size), number(origin), number(plans), tf.constant(by_plan),
            number(first_step), number(steps),
        )  # fmt: skip


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
    rows_before: Any = ()
    """``int32[steps + 1]`` rows of the plan to train on that come before each of its batches, and before its end; an
    empty tuple between calls, and for a selector whose plans are no passes. It follows from the plan."""

    @property
    def timestamp(self) -> Timestamp:
        """Time of the run, relative to its budget and its data."""
        done = tf.cast(self.position - self.window.origin, tf.float32)
        progress = tf.clip_by_value(done / tf.cast(self.window.budget, tf.float32), 0.0, 1.0)
        samples = tf.cast(self.samples - self.window.start, tf.float32)
        return Timestamp(progress, samples / tf.cast(self.window.size, tf.float32))

    @property
    def position(self) -> tf.Tensor:
        """``int64[]`` samples trained on; or, if the budget counts epochs, n for each plan or epoch so far."""
        if not self.window:  # between calls
            return self.samples
        position = self.samples
        if not isinstance(self.rows_before, tuple):
            position = tf.where(self.window.by_plan, self._position_in_plans(self.cursor), self.samples)
        return tf.where(self.window.steps > 0, self._position_in_steps(self.step), position)

    @property
    def budget_left(self) -> tf.Tensor:
        """``int64[]`` what is left of the budget, n for each epoch if it counts epochs; below 0 if exceeded."""
        return self.window.budget - (self.position - self.window.origin)

    @property
    def samples_left(self) -> tf.Tensor:
        """``int64[]`` samples of the budget that are left; negative if more were trained on.

        If the budget counts epochs, all that is known is whether it ends with the batch at the cursor: none are left
        then, and else as many as there can be.
        """
        left = self.window.budget - (self.samples - self.window.start)
        if not isinstance(self.rows_before, tuple):
            left = tf.where(self.window.by_plan, self._none_or_most(self._position_in_plans(self.cursor + 1)), left)
        return tf.where(self.window.steps > 0, self._none_or_most(self._position_in_steps(self.step + 1)), left)

    def _none_or_most(self, position: tf.Tensor) -> tf.Tensor:
        """Return ``int64[]`` 0 if the budget ends at a position, and else the largest number."""
        ends = position - self.window.origin >= self.window.budget
        return tf.where(ends, tf.zeros([], tf.int64), tf.constant(tf.int64.max, tf.int64))

    def _position_in_steps(self, step: tf.Tensor) -> tf.Tensor:
        """Return ``int64[]`` the share of n for each step of this call before one."""
        return (step - self.window.first_step) * self.window.size // tf.maximum(self.window.steps, 1)

    def _position_in_plans(self, batches: tf.Tensor) -> tf.Tensor:
        """Return ``int64[]`` n for each plan before the one in use, and the share of n before one of its batches."""
        size, done = self.window.size, tf.cast(tf.gather(self.rows_before, batches), tf.int64)
        planned = tf.cast(tf.maximum(self.rows_before[-1], 1), tf.int64)
        return tf.maximum(self.plans - 1, 0) * size + size * done // planned
