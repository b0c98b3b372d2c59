"""One optimizer step: forward pass, weighted loss, gradients, update, metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_size
from batchsel.core.timestamp import Timestamp
from batchsel.schedules import AccumulationSchedule, Schedule
from batchsel.selectors import SampleStats
from batchsel.training.inputs.batch import Batch, Samples, gather_rows
from batchsel.training.inputs.padding import cut
from batchsel.training.inputs.rows import ALL_ROWS, PADDED_ROWS, Rows
from batchsel.training.loop.accumulation import GradientAccumulator
from batchsel.training.model.metrics import Metrics
from batchsel.training.model.objective import Objective
from batchsel.training.model.signals import Signals
from batchsel.training.optim.lr_controller import LRController

if TYPE_CHECKING:
    from batchsel.training.model.proxy.cheap_model import CheapModel

LossWeights = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Factors ``float32[b]`` of losses ``float32[b]``, given ``bool[b]`` of which rows are real."""
IsLast = Callable[[tf.Tensor], tf.Tensor]
"""Function that tells whether the budget ends with a batch, ``bool[]``, given ``int64[]`` its number of real rows."""
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

    takes_weights = True
    """False if plans must not weigh samples, since it is unknown what the step does with weights."""
    xla_obstacle: str | None = None
    """Reason for which XLA cannot compile a loop of the step."""
    divides_losses = False
    """True if a loss that is averaged over the values of a batch which count, as where steps are masked, is right for
    batches that are filled up too."""
    needs_targets = True
    """False if the model may be trained on inputs alone."""
    own_variables: Sequence[Any] = ()
    """Variables that the step uses beside those of the model, its optimizer and its metrics."""
    cheap_model: CheapModel | None = None
    """The model that scores pools in place of this one, if the selector asks for one."""

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
        self.padded_at_start = False
        """True if sequences are padded at the start, so that padding is cut there."""
        self.objective = Objective(model)
        self.optimizer = model.optimizer
        self.metrics = Metrics(model, self.objective)
        self.signals = Signals(model, self.objective, signals)
        first = 1 if accumulation_schedule is None else accumulation_schedule.start
        self.lr_controller = LRController(model, schedule, batch_size * first)
        self.accumulator: GradientAccumulator | None = None
        self._accumulation_schedule = accumulation_schedule

    def build(self, batch: Samples) -> None:
        """Create the parts that depend on the model's variables.

        Args:
            batch: A batch.
        """
        if self._accumulation_schedule is not None and self.accumulator is None:
            self.accumulator = GradientAccumulator(self._accumulation_schedule, self.model.trainable_variables)
        if self.cheap_model is not None:
            self.cheap_model.build(batch)

    @property
    def device_count(self) -> int:
        """Devices that train the model together."""
        return 1

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which variables are made and the loop is run."""
        return nullcontext()

    def fills_up(self, batch_size: int, short: int | None) -> bool:
        """Return whether the step fills up batches to a size of its own.

        Args:
            batch_size: b.
            short: Rows of a batch that is not full, as `Selector.short_batch` returns them.
        """
        return False

    def place(self, data: Samples) -> Any:
        """Return samples in the form in which the loop takes them: tensors on the device."""
        return data

    def fetch(self, data: Any, rows: tf.Tensor) -> Samples:
        """Return rows of data, as `train` and `score` take them.

        Args:
            data: From `place`.
            rows: ``int32[k]`` their places in the data.
        """
        return gather_rows(data, rows)

    def whole(self, data: Any) -> Samples:
        """Return all samples of data from `place`."""
        return data

    def transform(self, batch: Batch, transform: Callable[[Batch], Batch]) -> Batch:
        """Transform a batch that is trained on next."""
        return transform(batch)

    def map_inputs(self, batch: Batch, function: Callable[[Any], Any]) -> Batch:
        """Return a batch with what a function makes of its inputs, row by row.

        Args:
            batch: A batch, or a pool.
            function: Function of inputs, first axis any number of rows.
        """
        return batch._replace(x=function(batch.x))

    def make_companion(
        self,
        model: keras.Model,
        signals: tuple[str, ...],
        batch_size: int,
        schedule: Schedule | None,
        cut_padding: bool,
    ) -> TrainStep:
        """Return the step of another model, which takes rows of the same data.

        Args:
            model: A compiled model.
            signals: As for the class.
            batch_size: As for the class.
            schedule: As for the class.
            cut_padding: As for the class.
        """
        return TrainStep(model, signals, batch_size, schedule, None, cut_padding)

    def run_on_all(self, function: Callable[[], None]) -> None:
        """Run a function wherever the model is trained."""
        function()

    def reset(self) -> None:
        """Set `own_variables` back to before the first step."""

    def reseed(self, seed: int) -> None:
        """Set what only scores samples back to before the first step.

        Args:
            seed: Seed of its initial weights.
        """
        if self.cheap_model is not None:
            self.cheap_model.reset(seed)

    def train(
        self,
        batch: Batch,
        timestamp: Timestamp,
        is_last: IsLast,
        *,
        rows: Rows = ALL_ROWS,
        loss_weights: LossWeights | None = None,
        after_update: AfterUpdate | None = None,
    ) -> SampleStats:
        """Update the model on a batch.

        Args:
            batch: The batch.
            timestamp: Time of the batch.
            is_last: Whether the budget ends with the batch, as `LoopState.is_last`.
            rows: The rows that the model and its metrics see.
            loss_weights: More factors of the losses, or None.
            after_update: Called after an update, or None.

        Returns:
            The losses and signals, as they were before the update.
        """
        whole, batch = batch, self.cut_sequences(rows.take(batch))
        mixture, weights = batch.mixture, batch.weights
        valid = tf.cast(batch.valid, tf.float32)
        count = tf.maximum(tf.reduce_sum(valid), 1.0)
        objective = self.objective
        with tf.GradientTape() as tape:
            outputs, features = self.signals.forward(batch.x, training=True)
            losses = objective.losses(batch.y, outputs, batch.sample_weight, mixture)
            if loss_weights is not None:
                known = tf.stop_gradient(rows.scatter(losses, whole))
                weights *= rows.pick(tf.stop_gradient(loss_weights(known, whole.valid)), whole)
            # The mean that Keras takes is over all rows, of which some may only fill up the batch.
            real = valid * (static_size(weights, 0) / count) if rows.padded else None
            weights = weights if real is None else weights * real
            loss = objective.total(batch.y, outputs, batch.sample_weight, weights, mixture)
            extra = tf.cast(objective.regularization_loss(), loss.dtype)
            total = loss + extra
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
            self.accumulator.update_if_due(update, last=is_last(tf.cast(count, tf.int64)))
        targets = batch.y if mixture is None else mixture.gather_larger(batch.y)
        losses = objective.unsmoothed_losses(batch.y, outputs, losses, batch.sample_weight, mixture)
        # What the selector made of the losses, and smoothing by a setting of the run, are no losses of the samples.
        reported = objective.reported_total(batch.y, outputs, batch.sample_weight, real, mixture) + extra
        if rows.padded:
            self.metrics.update_padded(reported, targets, outputs, valid, batch.sample_weight)
        else:
            self.metrics.update(reported, batch.x, targets, outputs, batch.sample_weight)
        stats = self._stats(batch, losses, outputs, features)
        return rows.scatter_stats(stats, whole)

    def score(self, batch: Batch) -> SampleStats:
        """Compute the losses and signals of a pool by a forward pass in inference mode.

        Args:
            batch: The pool, or a batch that is only scored.
        """
        stats = SampleStats(batch.indices, valid=batch.valid, **self._scores(batch))
        return PADDED_ROWS.scatter_stats(stats, batch)

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the values for the schedule log: ``float32[]`` by name.

        Args:
            timestamp: Time of the update.
        """
        values = self.lr_controller.logged_values(timestamp)
        return values if self.accumulator is None else values | self.accumulator.logged_values(timestamp)

    def cut_sequences(self, batch: Batch) -> Batch:
        """Return a batch whose padded sequences are cut to the longest in it, if that is a setting of the run."""
        return batch._replace(x=cut(batch.x, self.padded_at_start)) if self.cut_padding else batch

    def _scores(self, batch: Batch) -> dict[str, Any]:
        """Return the losses and signals of a batch by name, by a forward pass in inference mode."""
        batch = self.cut_sequences(batch)
        outputs, features = self.signals.forward(batch.x, training=False)
        losses = self.objective.losses(batch.y, outputs, batch.sample_weight)
        losses = self.objective.unsmoothed_losses(batch.y, outputs, losses, batch.sample_weight)
        return self.signals.compute(batch.x, batch.y, outputs, features) | {"loss": losses}

    def _stats(self, batch: Batch, losses: tf.Tensor, outputs: Any, features: tf.Tensor | None) -> SampleStats:
        signals = self.signals.compute(batch.x, batch.y, outputs, features)
        return SampleStats(batch.indices, losses, batch.valid, **signals)
