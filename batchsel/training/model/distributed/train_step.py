"""The optimizer step on several devices: each takes its share of a batch, and all apply the same gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.core.timestamp import Timestamp
from batchsel.schedules import AccumulationSchedule, Schedule
from batchsel.selectors import SampleStats
from batchsel.training.inputs.batch import Batch, Samples, gather_rows
from batchsel.training.inputs.rows import ALL_ROWS, PADDED_ROWS, Rows
from batchsel.training.loop.train_step import AfterUpdate, IsLast, LossWeights, TrainStep
from batchsel.training.model.distributed.replicas import Replicas
from batchsel.training.model.distributed.share_mixture import ShareMixture
from batchsel.training.model.distributed.shares import MappedRows, Shares, divide, get_places
from batchsel.training.optim.layer_rates import unwrap_optimizer

TOGETHER = "gradient_accumulation_steps", "use_ema"
"""Settings of an optimizer with which it updates in a branch."""


class ReplicaTrainStep(TrainStep):
    """The optimizer step of a model with a replica on each of several devices.

    What a step depends on is the same on all: the batch, the gradients of all its samples, the update. Data lie on
    every device, so the places of rows go to the replicas, and losses and signals of their samples come back. The
    inputs of a batch are these places, and it has no targets, unless it has its rows with it.

    Args:
        replicas: The replicas of the model.
        model: The model, compiled within the scope of its strategy.
        signals: As for `TrainStep`.
        batch_size: b.
        schedule: As for `TrainStep`.
        accumulation_schedule: As for `TrainStep`.
        cut_padding: As for `TrainStep`.
        main: The step whose data this one takes rows of; None if they are its own.
    """

    divides_losses = True

    def __init__(
        self,
        replicas: Replicas,
        model: keras.Model,
        signals: tuple[str, ...],
        batch_size: int,
        schedule: Schedule | None = None,
        accumulation_schedule: AccumulationSchedule | None = None,
        cut_padding: bool = False,
        main: ReplicaTrainStep | None = None,
    ) -> None:
        super().__init__(model, signals, batch_size, schedule, accumulation_schedule, cut_padding)
        self.replicas = replicas
        if replicas.count > 1:
            self.xla_obstacle = f"it does not compile a loop over {replicas.count} devices"
        optimizer = unwrap_optimizer(model.optimizer)
        self._updates_together = any(getattr(optimizer, setting, None) for setting in TOGETHER)
        """True if the optimizer decides in a branch, where replicas cannot wait for each other."""
        self._main = main or self
        self.data: tuple[Samples, ...] = ()
        """The data on each device, in the trace under way."""
        self._transform: Callable[[Batch], Batch] | None = None
        """Transform of the batch under way, which the replicas apply."""
        self._known: list[bool] = []
        """Truth values of the variables, in the trace under way: true for those that have gradients."""

    @property
    def device_count(self) -> int:
        """Devices that train the model together."""
        return self.replicas.count

    def scope(self) -> AbstractContextManager[Any]:
        """Return the scope of the strategy."""
        return self.replicas.scope()

    def fills_up(self, batch_size: int, short: int | None) -> bool:
        """Return whether some shares have rows that only fill them up."""
        return short != 0 or batch_size % self.replicas.count != 0

    def place(self, data: Samples) -> tuple[Samples, ...]:
        """Copy data to every device."""
        return self.replicas.copy(data)

    def fetch(self, data: tuple[Samples, ...], rows: tf.Tensor) -> Samples:
        """Return the numbers of rows in place of the rows, which each replica gathers from its own data."""
        self.data = data
        return Samples(rows, None)

    def whole(self, data: tuple[Samples, ...]) -> Samples:
        """Return the data on the first device, where plans are made."""
        return data[0]

    def transform(self, batch: Batch, transform: Callable[[Batch], Batch]) -> Batch:
        """Leave the transform to the replicas."""
        self._transform = transform
        return batch

    def map_inputs(self, batch: Batch, function: Callable[[Any], Any]) -> Batch:
        """Let each replica apply a function to the inputs of its share, and keep what it returns."""
        if batch.y is not None:
            return super().map_inputs(batch, function)
        shares = divide(self.replicas, batch, padded=True)
        found = self.replicas.run_apart(lambda number: function(self._gather(shares, number, None)[0].x))
        return batch._replace(x=MappedRows(get_places(batch), found))

    def make_companion(
        self,
        model: keras.Model,
        signals: tuple[str, ...],
        batch_size: int,
        schedule: Schedule | None,
        cut_padding: bool,
    ) -> TrainStep:
        """Return the step of another model with a replica on each of the devices."""
        return ReplicaTrainStep(self.replicas, model, signals, batch_size, schedule, None, cut_padding, main=self._main)

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
        """Update the model on a batch, as `TrainStep.train` does."""
        transform, self._transform = self._transform, None
        shares = divide(self.replicas, batch, rows.padded, whole=transform is not None)
        count = tf.maximum(tf.reduce_sum(tf.cast(batch.valid, tf.float32)), 1.0)
        function = partial(self._train_share, shares, count, rows, loss_weights, transform)
        if self.accumulator is None:
            with self._update_at(timestamp, after_update):
                found = self.replicas.run(function)
        else:
            found = self.replicas.run(function)
            gradients = _spread([copies[0] for copies in found.pop("gradients")], self._known)
            self.accumulator.add(gradients, count, timestamp)
            self.accumulator.update_if_due(partial(self._update, after_update), last=is_last(tf.cast(count, tf.int64)))
        return rows.scatter_stats(self._join(batch, found), batch)

    def score(self, batch: Batch) -> SampleStats:
        """Compute losses and signals as `TrainStep.score` does; on the first device alone if it has the rows."""
        if batch.y is not None:
            return super().score(batch)
        found = self.replicas.run(partial(self._score_share, divide(self.replicas, batch, padded=True)))
        return PADDED_ROWS.scatter_stats(self._join(batch, found), batch)

    def run_on_all(self, function: Callable[[], None]) -> None:
        """Run a function on every replica, once."""
        logger = tf.get_logger()
        level = logger.level
        logger.setLevel("ERROR")  # TensorFlow warns that this is slow without a trace, which would take longer
        try:
            self.replicas.run(lambda number: function())
        finally:
            logger.setLevel(level)

    @contextmanager
    def _update_at(self, timestamp: Timestamp, after_update: AfterUpdate | None) -> Iterator[None]:
        """Let replicas that are traced within the block apply sums of gradients, at the rates of a time."""
        optimizer = unwrap_optimizer(self.optimizer)
        strategy = self.replicas.strategy
        together = keras_private.update_replicas(optimizer, strategy) if self._updates_together else nullcontext()
        with together, self.lr_controller.rates_at(timestamp), keras_private.keep_gradients(optimizer):
            yield
        if after_update is not None:
            after_update(timestamp)

    def _update(self, after_update: AfterUpdate | None, gradients: list[Any], timestamp: Timestamp) -> None:
        """Update every replica with the same gradients; in a branch, where replicas need not wait for each other."""

        def apply(number: int = 0) -> None:
            self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))

        with self._update_at(timestamp, after_update):
            apply() if self._updates_together else self.replicas.run(apply)

    def _join(self, batch: Batch, found: dict[str, tuple[tf.Tensor, ...]]) -> SampleStats:
        size = static_size(batch.indices)
        joined = {name: self.replicas.join(values, size) for name, values in found.items()}
        return SampleStats(batch.indices, valid=batch.valid, **joined)

    def _gather(self, shares: Shares, number: int, transform: Callable[[Batch], Batch] | None) -> tuple[Batch, Any]:
        """Return the rows of a share from the data on its device, and their mixture, if they are mixed.

        Transforms draw random numbers for a whole batch, so each replica transforms all of it, and no sample is sent.
        """
        whole, data = shares.whole, self._main.data
        if shares.rows is not None:
            rows, weights = shares.rows[number].unpack()
            batch = Batch(rows, weights, *gather_rows(data[number], rows))
            return batch._replace(x=whole.x.shares[number]) if isinstance(whole.x, MappedRows) else batch, None
        size = static_size(whole.indices)
        places, mixture = tf.constant(self.replicas.places(size)[number]), None
        if shares.all_rows is not None:
            assert transform is not None
            rows, weights = shares.all_rows.unpack()
            whole = transform(whole._replace(weights=weights, **gather_rows(data[number], rows)._asdict()))
            mixture = None if whole.mixture is None else ShareMixture(whole.mixture, places, whole.y)
        batch = gather_rows(whole._replace(mixture=None), places)
        return batch._replace(weights=batch.weights * self.replicas.reality(size)[number]), mixture

    def _train_share(
        self,
        shares: Shares,
        count: tf.Tensor,
        rows: Rows,
        loss_weights: LossWeights | None,
        transform: Callable[[Batch], Batch] | None,
        number: int,
    ) -> dict[str, Any]:
        """Compute the gradients of a share, add those of the others, and update the replica.

        Replicas are traced in turns that end where they wait for each other. What the objective keeps of its last call
        belongs to this replica only until then.
        """
        batch, mixture = self._gather(shares, number, transform)
        batch = self.cut_sequences(batch)
        objective, replicas = self.objective, self.replicas
        valid, weights = tf.cast(batch.valid, tf.float32), batch.weights
        with tf.GradientTape() as tape:
            outputs, features = self.signals.forward(batch.x, training=True)
            extra = objective.regularization_loss() / replicas.count
            losses = objective.losses(batch.y, outputs, batch.sample_weight, mixture)
            if loss_weights is not None:
                weigh = partial(self._factors, shares.whole, rows, loss_weights)
                weights *= replicas.meet(weigh, tf.stop_gradient(losses))[number]
                objective.losses(batch.y, outputs, batch.sample_weight, mixture)
            # Keras divides the mean over a share by the number of replicas: a mean over the rows of all shares.
            size = static_size(batch.weights) * replicas.count
            real, scales = (valid * (size / count) if rows.padded else None), None
            if objective.averages_batches:
                scales = self._scales(valid if rows.padded else None)
                real = valid if rows.padded else None
                objective.losses(batch.y, outputs, batch.sample_weight, mixture)
            weights = weights if real is None else weights * real
            loss = objective.total(batch.y, outputs, batch.sample_weight, weights, mixture, scales)
            extra = tf.cast(extra, loss.dtype)
            scaled = self.optimizer.scale_loss(loss + extra)
        trained = self.model.trainable_variables
        gradients = tape.gradient(scaled, trained)
        targets = batch.y if mixture is None else mixture.gather_larger(batch.y)
        reported = objective.reported_total(batch.y, outputs, batch.sample_weight, real, mixture, scales) + extra
        reported *= replicas.count  # the metrics take the mean over replicas
        plain = objective.unsmoothed_losses(batch.y, outputs, losses, batch.sample_weight, mixture)
        if rows.padded:
            share = count / replicas.count
            self.metrics.update_padded(reported, targets, outputs, valid, batch.sample_weight, share)
        else:
            self.metrics.update(reported, batch.x, targets, outputs, batch.sample_weight)
        stats = self.signals.compute(batch.x, batch.y, outputs, features) | {"loss": plain}
        self._known = [gradient is not None for gradient in gradients]
        if self.accumulator is None and self._updates_together:
            replicas.meet(self._sum_and_update, [gradient for gradient in gradients if gradient is not None])
            return stats
        # Summed before the optimizer sees them, so that it clips and scales the gradient of the whole batch.
        sums = replicas.sum_all([gradient for gradient in gradients if gradient is not None])
        if self.accumulator is not None:
            return stats | {"gradients": list(map(tf.convert_to_tensor, sums))}
        self.optimizer.apply_gradients(zip(_spread(sums, self._known), trained, strict=True))
        return stats

    def _scales(self, valid: tf.Tensor | None) -> tf.Tensor:
        """Return factors of the losses of a share by which their sum over all shares is what Keras makes of the batch.

        Keras divides by the steps that count, or by the sum of weights, and here those are of the share alone.
        """
        own = self.objective.divisors()
        (whole,) = self.replicas.sum_all([own if valid is None else self.objective.divisors(valid)])
        return tf.math.divide_no_nan(own * self.replicas.count, whole)

    def _sum_and_update(self, gradients: list[Any]) -> None:
        """Update all replicas together with the sums of their gradients, outside of them."""
        sums = _spread(self.replicas.add(gradients), self._known)
        self.optimizer.apply_gradients(zip(sums, self.model.trainable_variables, strict=True))

    def _factors(self, batch: Batch, rows: Rows, loss_weights: LossWeights, losses: Any) -> list[tf.Tensor]:
        """Return the factors of the losses of each share, which depend on the losses of the whole batch."""
        found = self.replicas.strategy.experimental_local_results(losses)
        joined = self.replicas.join(found, static_size(batch.indices))
        factors = loss_weights(rows.scatter(joined, batch), batch.valid)
        return self.replicas.split(tf.stop_gradient(factors), 0.0)

    def _score_share(self, shares: Shares, number: int) -> dict[str, tf.Tensor]:
        return self._scores(self._gather(shares, number, None)[0])


def _spread(values: Sequence[Any], known: Sequence[bool]) -> list[Any]:
    """Return values in the places that are known, and None in the others."""
    rest = iter(values)
    return [next(rest) if each else None for each in known]
