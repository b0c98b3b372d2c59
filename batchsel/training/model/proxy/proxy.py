"""Proxy that scores pools in place of the model: its weights, its training, and what it costs."""

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
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.model_builder import ModelBuilder
from batchsel.training.model.proxy.forward_work import FORWARD_PASSES, forward_work
from batchsel.training.model.proxy.narrow_copy import copy_model
from batchsel.training.optim.lr_controller import read_rate

_UNIT = 2**20
"""A forward pass of the full model: shares of it are added as integers, which are the same in every mode."""


class Proxy:
    """A narrower copy of a model, trained on some of its batches, whose losses stand for those of the model.

    Args:
        main: The step of the model.
        scoring: The manner of scoring, with the width of the proxy.
        signals: Names of the signals that the selector needs.
        batch_size: b.
        update_size: Samples of an update of the model, for schedules that scale the rate by it.
        schedule: Factor of the learning rate, or None.
        cut_padding: Whether batches of padded sequences are cut to the longest in them.
    """

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
        self._batch_size = batch_size
        self._settings = signals, update_size, schedule, None, cut_padding
        self._step: TrainStep | None = None
        self._share = 0
        self.scored = tf.Variable(tf.constant(0, tf.int64), trainable=False, name="rows_scored")
        """``int64[]`` rows scored so far."""
        self.trained = tf.Variable(tf.constant(0, tf.int64), trainable=False, name="rows_trained")
        """``int64[]`` rows that it was trained on."""

    @property
    def step(self) -> TrainStep:
        """The step of the proxy, once it is built."""
        assert self._step is not None
        return self._step

    @property
    def every(self) -> int:
        """Steps from one batch that it is trained on to the next."""
        return self._scoring.proxy_every

    @property
    def pools_every(self) -> int:
        """Steps from one scored pool to the next."""
        return self._scoring.every

    @property
    def variables(self) -> list[Any]:
        """Its weights, generators, optimizer, metrics and counts."""
        if self._step is None:
            return []
        step = self._step
        members = *variables.model_variables(step.model), *step.optimizer.variables, *step.metrics.variables
        return [*members, self.scored, self.trained]

    def build(self, samples: Samples) -> None:
        """Create the copy, once.

        Args:
            samples: A batch.

        Raises:
            UserError: If the model cannot be copied.
        """
        if self._step is None:
            full = self._main.model
            remedy = "Choose another way of scoring, such as score(dtype='bfloat16')"
            width = 1.0 if self._scoring.proxy is None else self._scoring.proxy
            step = TrainStep(copy_model(full, width, remedy, _copy_with_plain_rate), *self._settings)
            step.lr_controller.base_rate = self._main.lr_controller.base_rate
            ModelBuilder(step, self._batch_size, None, None).build(samples)
            self._share = round(_UNIT * forward_work(step.model.layers) / max(forward_work(full.layers), 1))
            self._step = step

    def reset(self, seed: int) -> None:
        """Go back to before the first step.

        Args:
            seed: Seed of the initial weights.
        """
        if self._step is None:
            return
        step = self._step
        variables.initialize(step.model, seed)
        fresh = _copy_with_plain_rate(self._main.optimizer)
        fresh.build(step.model.trainable_variables)
        for variable, value in zip(step.optimizer.variables, fresh.variables, strict=True):
            variable.assign(value.numpy())
        step.metrics.reset()
        for count in (self.scored, self.trained):
            count.assign(0)

    def count_scored(self, rows: tf.Tensor) -> tf.Tensor:
        """Count rows that were scored.

        Args:
            rows: ``int64[]``.

        Returns:
            ``int64[]``, by how much the forward passes of the full model that all of this amounts to have grown.
        """
        before = self._forward_passes()
        self.scored.assign_add(rows)
        return self._forward_passes() - before

    def train_if_due(
        self, batch: Batch, timestamp: Timestamp, samples_left: tf.Tensor, step: tf.Tensor, rows: Rows
    ) -> tf.Tensor:
        """Train on a batch in the first step and in each `every`-th after it, before the model is.

        Args:
            batch: The batch.
            timestamp: As for `TrainStep.train`.
            samples_left: As for `TrainStep.train`.
            step: ``int64[]`` batches trained on before.
            rows: The rows that it sees.

        Returns:
            As `count_scored`.
        """

        def train() -> tf.Tensor:
            before = self._forward_passes()
            self.train(batch, timestamp, samples_left, rows)
            self.trained.assign_add(tf.math.count_nonzero(batch.valid))
            return self._forward_passes() - before

        if self.every == 1:
            return train()
        due = tf.math.floormod(step, self.every) == 0
        return tf.cond(due, train, lambda: tf.zeros([], tf.int64))

    def train(self, batch: Batch, timestamp: Timestamp, samples_left: tf.Tensor, rows: Rows) -> SampleStats:
        """Train on a batch at the learning rate that the model has; see `train_if_due`."""
        rate = read_rate(self.step.optimizer)
        if self.step.lr_controller.schedule is None and rate is not None:
            # A schedule within the optimizer of the model counts its updates, of which the proxy has fewer.
            rate.assign(tf.cast(read_rate(self._main.optimizer), rate.dtype))
        return self.step.train(batch, timestamp, samples_left, rows=rows)

    def _forward_passes(self) -> tf.Tensor:
        rows = self.scored.read_value() + FORWARD_PASSES * self.trained.read_value()
        return rows * self._share // _UNIT


def _copy_with_plain_rate(optimizer: Any) -> Any:
    """Return another optimizer with the same settings, whose learning rate is a number."""
    config = optimizer.get_config()
    inner = config["inner_optimizer"]["config"] if "inner_optimizer" in config else config
    rate = read_rate(optimizer)
    if rate is not None:
        inner["learning_rate"] = float(rate.numpy())
    return type(optimizer).from_config(config)
