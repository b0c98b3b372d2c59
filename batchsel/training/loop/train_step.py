"""One optimizer step: forward pass, weighted loss, gradients, update, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.schedules import AccumulationSchedule, Schedule
from batchsel.selectors import SampleStats
from batchsel.training.inputs.batch import Batch
from batchsel.training.inputs.padding import cut
from batchsel.training.loop.accumulation import GradientAccumulator
from batchsel.training.model.metrics import Metrics
from batchsel.training.model.objective import Objective
from batchsel.training.model.signals import Signals
from batchsel.training.optim.lr_controller import LRController

LossWeights = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Factors ``float32[b]`` of losses ``float32[b]``, given ``bool[b]`` of which rows are real."""
AfterUpdate = Callable[[Timestamp], None]
"""Function to trace after each update, given the timestamp of the update."""


class TrainStep:
    """The optimizer step of a compiled model.

    Args:
        model: A compiled Keras model.
        signals: Names of the signals that the selector needs.
        batch_size: b.
        schedule: Factor of the learning rate, or None to leave the rate to the optimizer and to callbacks.
        accumulation_schedule: Number of batches of an update, or None for one.
        cut_padding: Whether batches of padded sequences are cut to the longest in them.

    Raises:
        UserError: If both the optimizer and `schedule` change the learning rate.
    """

    def __init__(
        self,
        model: keras.Model,
        signals: tuple[str, ...],
        batch_size: int,
        schedule: Schedule | None = None,
        accumulation_schedule: AccumulationSchedule | None = None,
        cut_padding: bool = False,
    ) -> None:
        self.model = model
        self.cut_padding = cut_padding
        self.objective = Objective(model)
        self.optimizer = model.optimizer
        self.metrics = Metrics(model, self.objective)
        self.signals = Signals(model, self.objective, signals)
        first = 1 if accumulation_schedule is None else accumulation_schedule.start
        self.lr_controller = LRController(model, schedule, batch_size * first)
        self.accumulator: GradientAccumulator | None = None
        self._accumulation_schedule = accumulation_schedule

    def build(self) -> None:
        """Create the parts that depend on the model's variables."""
        if self._accumulation_schedule is not None and self.accumulator is None:
            self.accumulator = GradientAccumulator(self._accumulation_schedule, self.model.trainable_variables)

    def train(
        self,
        batch: Batch,
        timestamp: Timestamp,
        samples_left: tf.Tensor,
        *,
        loss_weights: LossWeights | None = None,
        after_update: AfterUpdate | None = None,
    ) -> SampleStats:
        """Update the model on a batch.

        Args:
            batch: The batch.
            timestamp: Time of the batch.
            samples_left: ``int64[]`` samples of the budget that are left, including this batch.
            loss_weights: More factors of the losses, or None.
            after_update: Called after an update, or None.

        Returns:
            The losses and signals, as they were before the update.
        """
        batch = self._cut(batch)
        mixture, weights = batch.mixture, batch.weights
        valid = tf.cast(batch.valid, tf.float32)
        count = tf.maximum(tf.reduce_sum(valid), 1.0)
        with tf.GradientTape() as tape:
            outputs, features = self.signals.forward(batch.x, training=True)
            losses = weighted = self.objective.losses(batch.y, outputs, mixture=mixture)
            if batch.sample_weight is not None:
                weighted = self.objective.losses(batch.y, outputs, batch.sample_weight, mixture)
            if loss_weights is not None:
                weights *= tf.stop_gradient(loss_weights(tf.stop_gradient(losses), valid > 0))
            regularization = self.objective.regularization_loss()
            total = tf.reduce_sum(weights * weighted) / count + regularization
            scaled = self.optimizer.scale_loss(total)
        gradients = tape.gradient(scaled, self.model.trainable_variables)

        def update(gradients: list[Any], timestamp: Timestamp) -> None:
            self.lr_controller.apply_gradients(gradients, timestamp)
            if after_update is not None:
                after_update(timestamp)

        if self.accumulator is None:
            update(gradients, timestamp)
        else:
            self.accumulator.add(gradients, count, timestamp)
            self.accumulator.update_if_due(update, last=tf.cast(count, tf.int64) >= samples_left)
        targets = batch.y if mixture is None else mixture.gather_larger(batch.y)
        losses = self.objective.unsmoothed_losses(batch.y, outputs, losses, mixture)
        plain = self.objective.plain_losses(batch.y, outputs, weighted, batch.sample_weight, mixture)
        # What the selector made of the losses, and smoothing by a setting of the run, are no losses of the samples.
        reported = tf.reduce_sum(valid * plain) / count + regularization
        self.metrics.update(reported, losses, targets, outputs, valid, batch.sample_weight)
        return self._stats(batch, losses, outputs, features)

    def score(self, batch: Batch) -> SampleStats:
        """Compute the losses and signals of a pool by a forward pass in inference mode.

        Args:
            batch: The pool, or a batch that is only scored.
        """
        batch = self._cut(batch)
        outputs, features = self.signals.forward(batch.x, training=False)
        losses = self.objective.unsmoothed_losses(batch.y, outputs, self.objective.losses(batch.y, outputs))
        return self._stats(batch, losses, outputs, features)

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the values for the schedule log: ``float32[]`` by name.

        Args:
            timestamp: Time of the update.
        """
        values = self.lr_controller.logged_values(timestamp)
        return values if self.accumulator is None else values | self.accumulator.logged_values(timestamp)

    def _cut(self, batch: Batch) -> Batch:
        return batch._replace(x=cut(batch.x)) if self.cut_padding else batch

    def _stats(self, batch: Batch, losses: tf.Tensor, outputs: Any, features: tf.Tensor | None) -> SampleStats:
        signals = self.signals.compute(batch.x, batch.y, outputs, features)
        values = {"indices": batch.indices, "loss": losses, **signals}
        valid = batch.valid
        return SampleStats(valid=valid, **{name: _fill(value, valid) for name, value in values.items()})


def _fill(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Repeat the first row in rows that only fill up the batch, so that writing them changes nothing."""
    mask = tf.reshape(valid, [-1] + [1] * (values.shape.rank - 1))
    return tf.where(mask, tf.stop_gradient(values), tf.stop_gradient(values)[:1])
