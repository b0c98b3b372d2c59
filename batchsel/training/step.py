"""One optimiser step: forward pass, weighted loss, gradients, update, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from batchsel.augmentation import Mixture
from batchsel.errors import UserError
from batchsel.schedules import Schedule
from batchsel.selectors import Seen
from batchsel.training.metrics import Metrics
from batchsel.training.objective import Objective
from batchsel.training.padding import cut
from batchsel.training.signals import Signals


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
        schedule: Factor of the learning rate as a function of progress, or None to leave the rate to the
            optimiser and to callbacks.
        cut_padding: Whether batches of padded sequences are cut to the longest in them.

    Raises:
        UserError: If both the optimiser and `schedule` change the learning rate.
    """

    def __init__(
        self, model: keras.Model, signals: tuple[str, ...], schedule: Schedule | None, cut_padding: bool = False
    ) -> None:
        self.model = model
        self.cut_padding = cut_padding
        self.objective = Objective(model)
        self.optimizer = model.optimizer
        self.metrics = Metrics(model, self.objective)
        self.signals = Signals(model, self.objective, signals)
        self.schedule = schedule
        self.first_rate = _own_rate(model.optimizer, schedule)
        self.base_rate = tf.Variable(self.first_rate, trainable=False, dtype=tf.float32, name="base_learning_rate")

    def read_rate(self) -> None:
        """Takes the optimiser's learning rate as the one that the schedule scales."""
        if self.schedule is not None:
            self.base_rate.assign(float(self.optimizer.learning_rate.numpy()))

    def put_rate_back(self) -> None:
        """Gives the optimiser the learning rate that the schedule scaled."""
        if self.schedule is not None:
            self.optimizer.learning_rate.assign(float(self.base_rate.numpy()))

    def reset_rate(self, rate: float | None = None) -> None:
        """Puts the learning rate back to what it was first, unless the optimiser has a schedule of its own.

        Args:
            rate: Another one, from now on the first.

        Raises:
            UserError: If the optimiser has a schedule of its own, and a rate is given.
        """
        fixed = hasattr(self.optimizer.learning_rate, "assign")
        if rate is not None:
            if not fixed:
                raise UserError("the optimiser has a learning-rate schedule of its own; no learning rate can be set.")
            self.first_rate = float(rate)
        if fixed:
            self.optimizer.learning_rate.assign(self.first_rate)
        self.base_rate.assign(self.first_rate)

    def train(
        self,
        rows: Rows,
        indices: tf.Tensor,
        weights: tf.Tensor,
        progress: tf.Tensor,
        weigh: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
        mixture: Mixture | None = None,
    ) -> Seen:
        """Updates the model on a batch.

        Args:
            rows: The batch.
            indices: ``int32[b]`` sample numbers.
            weights: ``float32[b]`` factors of the loss; 0 for rows that only fill up the batch.
            progress: ``float32[]`` for the schedule.
            weigh: Gives more factors out of the losses and of which rows are real, or None.
            mixture: Of which two samples each row is made, or None. Its loss is then the mean of the losses for both
                targets, with the weight of the row itself; metrics compare with the target of the larger share.

        Returns:
            The losses and signals, as they were before the update.
        """
        rows = self._cut(rows)
        valid = tf.cast(weights != 0, tf.float32)
        count = tf.maximum(tf.reduce_sum(valid), 1.0)
        if self.schedule is not None:
            self.optimizer.learning_rate.assign(self.base_rate * self.schedule(progress))
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            outputs, features = self.signals.forward(rows.x, training=True)
            losses = weighted = self.objective.losses(rows.y, outputs, mixture=mixture)
            if rows.sample_weight is not None:
                weighted = self.objective.losses(rows.y, outputs, rows.sample_weight, mixture)
            if weigh is not None:
                weights *= tf.stop_gradient(weigh(tf.stop_gradient(losses), valid > 0))
            total = tf.reduce_sum(weights * weighted) / count + self.objective.extra()
            scaled = self.optimizer.scale_loss(total)
        gradients = tape.gradient(scaled, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        targets = rows.y if mixture is None else mixture.larger(rows.y)
        self.metrics.update(total, losses, targets, outputs, valid, rows.sample_weight)
        losses = self.objective.sharp(rows.y, outputs, losses, mixture)
        return self._seen(rows, indices, valid > 0, losses, outputs, features)

    def score(self, rows: Rows, indices: tf.Tensor, weights: tf.Tensor) -> Seen:
        """The losses and signals of a pool, by a forward pass in inference mode.

        Args:
            rows: The pool.
            indices: ``int32[B]`` sample numbers.
            weights: ``float32[B]``; 0 for rows that only fill up the pool.
        """
        rows = self._cut(rows)
        outputs, features = self.signals.forward(rows.x, training=False)
        losses = self.objective.sharp(rows.y, outputs, self.objective.losses(rows.y, outputs))
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
    ) -> Seen:
        values = {"indices": indices, "loss": losses, **self.signals.of(rows.x, rows.y, outputs, features)}
        return Seen(valid=valid, **{name: _fill(value, valid) for name, value in values.items()})


def _own_rate(optimizer: keras.optimizers.Optimizer, schedule: Schedule | None) -> float:
    """The optimiser's learning rate; 0 if it follows a schedule of its own."""
    fixed = not isinstance(getattr(optimizer, "_learning_rate", None), keras.optimizers.schedules.LearningRateSchedule)
    if schedule is not None and not fixed:
        raise UserError(
            "the optimiser has a learning-rate schedule of its own; give either that or schedule=, not both."
        )
    return float(optimizer.learning_rate.numpy()) if fixed else 0.0


def _fill(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Rows that only fill up the batch repeat its first row, so that writing them changes nothing."""
    mask = tf.reshape(valid, [-1] + [1] * (values.shape.rank - 1))
    return tf.where(mask, tf.stop_gradient(values), tf.stop_gradient(values)[:1])
