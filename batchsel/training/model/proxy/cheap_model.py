"""Model that scores pools in place of the model that is trained: its weights, its training, and what it costs."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.schedules import Schedule
from batchsel.selectors import SampleStats
from batchsel.selectors.modifiers.scoring import Scoring
from batchsel.training import variables
from batchsel.training.inputs.batch import Batch, Samples
from batchsel.training.inputs.rows import Rows
from batchsel.training.loop.train_step import IsLast, TrainStep
from batchsel.training.optim.lr_controller import read_rate

UNIT = 2**20
"""A forward pass of the full model: shares of it are added as integers, which are the same in every mode."""


class CheapModel:
    """A model that is trained beside another one, and whose losses stand for those of that one.

    Args:
        main: The step of the full model.
        scoring: The manner of scoring.
        signals: Names of the signals that the selector needs.
        batch_size: b.
        update_size: Samples of an update of the full model, for schedules that scale the rate by it.
        schedule: Factor of the learning rate, or None.
        cut_padding: Whether batches of padded sequences are cut to the longest in them.
    """

    learns_from_pools = False
    """True if it is trained on the rows that it scores, False if on batches that the full model is trained on."""

    def __init__(
        self,
        main: TrainStep,
        scoring: Scoring,
        signals: tuple[str, ...],
        batch_size: int,
        update_size: int,
        schedule: Schedule | None,
        cut_padding: bool,
    ) -> None:
        self._main = main
        self._scoring = scoring
        self._signals = signals
        self._batch_size = batch_size
        self._update_size = update_size
        self._schedule = schedule
        self._cut_padding = cut_padding
        self._step: TrainStep | None = None
        self._price = 0
        self._training_price = 0
        self.scored = tf.Variable(tf.constant(0, tf.int64), trainable=False, name="rows_scored")
        """``int64[]`` rows scored so far."""
        self.trained = tf.Variable(tf.constant(0, tf.int64), trainable=False, name="rows_trained")
        """``int64[]`` rows that it was trained on."""

    @property
    def step(self) -> TrainStep:
        """The step of what is trained, once it is built."""
        assert self._step is not None
        return self._step

    @property
    def models(self) -> list[Any]:
        """The models that a forward pass goes through."""
        return [self.step.model]

    @property
    def variables(self) -> list[Any]:
        """Its weights, generators, optimizer, metrics and counts."""
        if self._step is None:
            return []
        step = self._step
        members = *variables.model_variables(step.model), *step.optimizer.variables, *step.metrics.variables
        return [*members, self.scored, self.trained]

    def build(self, samples: Samples) -> None:
        """Create it, once.

        Args:
            samples: A batch.

        Raises:
            UserError: If that is impossible for the model.
        """
        if self._step is None:
            step, price, training_price = self.make(samples)
            step.lr_controller.base_rate = self._main.lr_controller.base_rate
            self._price, self._training_price = round(UNIT * price), round(UNIT * training_price)
            self._step = step

    def make(self, samples: Samples) -> tuple[TrainStep, float, float]:
        """Return its step, built, and the price of a row that is scored or trained on, in forward passes."""
        raise NotImplementedError

    def reset(self, seed: int) -> None:
        """Go back to before the first step.

        Args:
            seed: Seed of the initial weights.
        """
        if self._step is None:
            return
        step = self._step
        variables.initialize(step.model, seed)
        with self._main.scope():
            fresh = copy_with_plain_rate(self._main.optimizer)
            fresh.build(step.model.trainable_variables)
        for variable, value in zip(step.optimizer.variables, fresh.variables, strict=True):
            variable.assign(value.numpy())
        step.metrics.reset()
        for count in (self.scored, self.trained):
            count.assign(0)

    def score(self, batch: Batch) -> SampleStats:
        """Compute losses and signals in place of the full model.

        Args:
            batch: A pool, or the rows of one.
        """
        return self.step.score(self.inputs(batch))

    def inputs(self, batch: Batch) -> Batch:
        """Return a batch with what is trained sees of it."""
        return batch

    def train(self, batch: Batch, timestamp: Timestamp, is_last: IsLast, rows: Rows) -> SampleStats:
        """Train on a batch at the learning rate of the full model, as it is before that is trained on the batch.

        Args:
            batch: The batch, from `inputs`.
            timestamp: As for `TrainStep.train`.
            is_last: As for `TrainStep.train`.
            rows: The rows that it sees.
        """
        rate = read_rate(self.step.optimizer)
        if self.step.lr_controller.schedule is None and rate is not None:
            # A schedule within the optimizer of the model counts its updates, which need not be as many here.
            rate.assign(tf.cast(read_rate(self._main.optimizer), rate.dtype))
        return self.step.train(batch, timestamp, is_last, rows=rows)

    def count(self, passes: tf.Tensor, scored: tf.Tensor | None = None, trained: tf.Tensor | None = None) -> tf.Tensor:
        """Count rows that were scored or trained on.

        Args:
            passes: ``int64[]`` forward passes of the full model so far.
            scored: ``bool[k]``, true for rows that were scored, false for those that only fill up; or None.
            trained: Likewise, for rows that were trained on.

        Returns:
            ``int64[]`` the forward passes, which have grown by those that the rows amount to.
        """
        before = self._forward_passes()
        for counter, rows in ((self.scored, scored), (self.trained, trained)):
            if rows is not None:
                counter.assign_add(tf.math.count_nonzero(rows))
        # No sum: TensorFlow may merge sums in a row into one with a temporary variable, which fails in loops.
        return passes - (before - self._forward_passes())

    def _forward_passes(self) -> tf.Tensor:
        scored, trained = self.scored.read_value(), self.trained.read_value()
        return (scored * self._price + trained * self._training_price) // UNIT


def copy_with_plain_rate(optimizer: Any) -> Any:
    """Return another optimizer with the same settings, whose learning rate is a number.

    Args:
        optimizer: Any optimizer.
    """
    config = optimizer.get_config()
    inner = config["inner_optimizer"]["config"] if "inner_optimizer" in config else config
    rate = read_rate(optimizer)
    if rate is not None:
        inner["learning_rate"] = float(rate.numpy())
    return type(optimizer).from_config(config)
