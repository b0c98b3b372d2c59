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
    positions: Any = ()
    """``int64[steps + 1]`` positions before each batch of the plan, and at its end, if the budget counts epochs; an
    empty tuple between calls, and for a selector whose plans are no passes. They follow from the plan."""
    position: Any = ()
    """``int64[]`` samples trained on; or, if the budget counts epochs, n for each plan or epoch so far. It
    follows from the rest, see `with_position`, and is kept because a step asks for it repeatedly; an empty tuple as
    stored."""

    def with_position(self) -> LoopState:
        """Return the state with the position that follows from its counters."""
        return self._replace(position=self._position_at(self.samples, self.cursor, self.step))

    def with_positions(self, rows: tf.Tensor) -> LoopState:
        """Return the state with the positions of its plan.

        Args:
            rows: ``int64[steps]`` rows to train on of each batch of the plan.
        """
        size, done = self.window.size, tf.concat([[0], tf.cumsum(rows)], axis=0)
        planned = tf.maximum(done[-1], 1)
        return self._replace(positions=tf.maximum(self.plans - 1, 0) * size + size * done // planned)

    @property
    def timestamp(self) -> Timestamp:
        """Time of the run, relative to its budget and its data."""
        done = tf.cast(self.position - self.window.origin, tf.float32)
        progress = tf.clip_by_value(done / tf.cast(self.window.budget, tf.float32), 0.0, 1.0)
        samples = tf.cast(self.samples - self.window.start, tf.float32)
        return Timestamp(progress, samples / tf.cast(self.window.size, tf.float32))

    @property
    def budget_left(self) -> tf.Tensor:
        """``int64[]`` what is left of the budget, n for each epoch if it counts epochs; below 0 if exceeded."""
        return self.window.budget - (self.position - self.window.origin)

    def is_last(self, count: tf.Tensor) -> tf.Tensor:
        """Return ``bool[]``, whether the budget ends with the batch at the cursor.

        Args:
            count: ``int64[]`` real rows of that batch.
        """
        position = self._position_at(self.samples + count, self.cursor + 1, self.step + 1)
        return position - self.window.origin >= self.window.budget

    def _position_at(self, samples: tf.Tensor, cursor: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Return ``int64[]`` the position after so many samples, batches of the plan and steps."""
        if not self.window:  # between calls
            return samples
        window, position = self.window, samples
        if not isinstance(self.positions, tuple):
            position = tf.where(window.by_plan, tf.gather(self.positions, cursor), samples)
        in_steps = (step - window.first_step) * window.size // tf.maximum(window.steps, 1)
        return tf.where(window.steps > 0, in_steps, position)
