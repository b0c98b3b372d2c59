"""One optimizer step: forward pass, weighted loss, gradients, update, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.schedules import AccumulationSchedule, Schedule
from batchsel.selectors import SampleStats
from batchsel.training.inputs.padding import cut
from batchsel.training.loop.accumulation import Accumulation
from batchsel.training.model.metrics import Metrics
from batchsel.training.model.objective import Objective
from batchsel.training.model.signals import Signals
from batchsel.training.optim.lr_controller import LRController
from batchsel.transforms.augmentation import Mixture


class Rows(NamedTuple):
    """Samples as the model takes them, first axis b (or the size of a pool)."""

    x: Any
    y: Any
    sample_weight: Any = None


class Step:
    """The part of a compiled model that a training loop repeats.

    Args:
        model: A compiled Keras model.
        signals: Names of the signals that the selector asked for.
        batch_size: b.
        schedule: Factor of the learning rate, or None to leave the rate to the optimizer and to callbacks.
        growth: How many batches make one update, or None for one.
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
        growth: AccumulationSchedule | None = None,
        cut_padding: bool = False,
    ) -> None:
        self.model = model
        self.cut_padding = cut_padding
        self.objective = Objective(model)
        self.optimizer = model.optimizer
        self.metrics = Metrics(model, self.objective)
        self.signals = Signals(model, self.objective, signals)
        first = 1 if growth is None else growth.start
        self.lr_controller = LRController(model, schedule, batch_size * first)
        self.growth = growth
        self.accumulation: Accumulation | None = None
        self.after_update: Callable[[Timestamp], None] | None = None
        """Called, while it is traced, behind each update with where that stands."""

    def build(self) -> None:
        """Makes what needs the model's variables to be there."""
        if self.growth is not None and self.accumulation is None:
            self.accumulation = Accumulation(self.growth, self.model.trainable_variables)

    def train(
        self,
        rows: Rows,
        indices: tf.Tensor,
        weights: tf.Tensor,
        timestamp: Timestamp,
        left: tf.Tensor,
        loss_weights: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
        mixture: Mixture | None = None,
    ) -> SampleStats:
        """Updates the model on a batch.

        Args:
            rows: The batch.
            indices: ``int32[b]`` sample numbers.
            weights: ``float32[b]`` factors of the loss; 0 for rows that only fill up the batch.
            timestamp: Where the run stands.
            left: ``int64[]`` samples of the budget that are left, with those of this batch.
            loss_weights: Gives more factors out of the losses and of which rows are real, or None.
            mixture: Of which two samples each row is made, or None. Its loss is then the mean of the losses for both
                targets, with the weight of the row itself; metrics compare with the target of the larger share.

        Returns:
            The losses and signals, as they were before the update.
        """
        rows = self._cut(rows)
        valid = tf.cast(weights != 0, tf.float32)
        count = tf.maximum(tf.reduce_sum(valid), 1.0)
        with tf.GradientTape() as tape:
            outputs, features = self.signals.forward(rows.x, training=True)
            losses = weighted = self.objective.losses(rows.y, outputs, mixture=mixture)
            if rows.sample_weight is not None:
                weighted = self.objective.losses(rows.y, outputs, rows.sample_weight, mixture)
            if loss_weights is not None:
                weights *= tf.stop_gradient(loss_weights(tf.stop_gradient(losses), valid > 0))
            total = tf.reduce_sum(weights * weighted) / count + self.objective.regularization_loss()
            scaled = self.optimizer.scale_loss(total)
        self._apply(tape.gradient(scaled, self.model.trainable_variables), count, timestamp, left)
        targets = rows.y if mixture is None else mixture.gather_larger(rows.y)
        losses = self.objective.unsmoothed_losses(rows.y, outputs, losses, mixture)
        self.metrics.update(total, losses, targets, outputs, valid, rows.sample_weight)
        return self._seen(rows, indices, valid > 0, losses, outputs, features)

    def _apply(self, gradients: list[Any], count: tf.Tensor, timestamp: Timestamp, left: tf.Tensor) -> None:
        """Updates the model, or keeps the gradients until there are batches enough or the budget ends."""
        accumulation = self.accumulation
        if accumulation is None:
            self._update(gradients, timestamp)
            return
        accumulation.add(gradients, count, timestamp)
        last = tf.cast(count, tf.int64) >= left

        def update() -> tf.Tensor:
            self._update(accumulation.take(), accumulation.timestamp)
            return tf.constant(True)

        tf.cond(accumulation.due() | last, update, lambda: tf.constant(False))

    def _update(self, gradients: list[Any], timestamp: Timestamp) -> None:
        self.lr_controller.apply_gradients(gradients, timestamp)
        if self.after_update is not None:
            self.after_update(timestamp)

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """What is worth recording of a moment: ``float32[]`` by name.

        Args:
            timestamp: Where the run stands.
        """
        return self.lr_controller.logged_values(timestamp) | (
            {} if self.accumulation is None else self.accumulation.logged_values(timestamp)
        )

    def score(self, rows: Rows, indices: tf.Tensor, weights: tf.Tensor) -> SampleStats:
        """The losses and signals of a pool, by a forward pass in inference mode.

        Args:
            rows: The pool.
            indices: ``int32[B]`` sample numbers.
            weights: ``float32[B]``; 0 for rows that only fill up the pool.
        """
        rows = self._cut(rows)
        outputs, features = self.signals.forward(rows.x, training=False)
        losses = self.objective.unsmoothed_losses(rows.y, outputs, self.objective.losses(rows.y, outputs))
        return self._seen(rows, indices, weights != 0, losses, outputs, features)

    def _cut(self, rows: Rows) -> Rows:
        return rows._replace(x=cut(rows.x)) if self.cut_padding else rows

    def _seen(
        self,
        rows: Rows,
        indices: tf.Tensor,
        valid: tf.Tensor,
        losses: tf.Tensor,
        outputs: Any,
        features: tf.Tensor | None,
    ) -> SampleStats:
        values = {"indices": indices, "loss": losses, **self.signals.compute(rows.x, rows.y, outputs, features)}
        return SampleStats(valid=valid, **{name: _fill(value, valid) for name, value in values.items()})


def _fill(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Rows that only fill up the batch repeat its first row, so that writing them changes nothing."""
    mask = tf.reshape(valid, [-1] + [1] * (values.shape.rank - 1))
    return tf.where(mask, tf.stop_gradient(values), tf.stop_gradient(values)[:1])
