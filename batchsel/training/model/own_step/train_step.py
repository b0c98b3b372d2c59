"""One step of a model by its own `train_step`, or by that of Keras if its loss is not known for each sample."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError, shorten
from batchsel.selectors import SampleStats
from batchsel.training import variables
from batchsel.training.inputs.batch import Batch, Samples, as_keras_data
from batchsel.training.inputs.rows import ALL_ROWS, Rows
from batchsel.training.loop.train_step import AfterUpdate, IsLast, LossWeights, TrainStep
from batchsel.training.model.model_checks import NO_LOSS
from batchsel.training.model.own_step.metrics import OwnMetrics
from batchsel.training.model.own_step.recorded_updates import RecordedUpdates
from batchsel.training.model.own_step.touched_variables import touched_variables
from batchsel.training.optim.lr_controller import LRController, read_rate


class OwnTrainStep(TrainStep):
    """The step of a model with `train_step` or `compute_loss` of its own, or with a loss of one number for a batch.

    `Model.train_step` is called as Keras calls it, with the rows that the plan chose. The loss of each sample is
    unknown: that of the batch stands for it.

    Args:
        model: A compiled Keras model.
        reason: The part of the model for which the losses of samples are unknown, as in "GAN overrides train_step()".
        lr_controller: Sets the learning rate.
        needs_loss: Whether the selector reads the loss of the batch.
    """

    takes_weights = False
    needs_targets = False

    def __init__(  # the parts that TrainStep creates would refuse the model
        self, model: keras.Model, reason: str, lr_controller: LRController, needs_loss: bool
    ) -> None:
        self.model = model
        self.reason = reason
        self.cut_padding = self.padded_at_start = False
        self.optimizer = model.optimizer
        self.metrics = OwnMetrics(model)
        self.lr_controller = lr_controller
        self.accumulator = None
        self.own_variables = []
        self._first_values: list[Any] = []
        self._needs_loss = needs_loss

    def trace(self, batch: Samples) -> None:
        """Trace a step on a batch, which computes nothing, but builds the model, its optimizers and its metrics.

        Args:
            batch: A batch.

        Raises:
            UserError: If the step cannot be traced, returns no logs, or reports no loss that the selector needs; or if
                it does not use the optimizer whose rate `schedule` sets.
        """
        known: list[bool] = []

        def step(data: Samples) -> None:
            logs, loss = self._run(data)
            self.metrics.build(logs)
            known.append(loss is not None)

        function = tf.function(step, autograph=False)
        try:
            traced = function.get_concrete_function(batch)
        except UserError:
            raise
        except Exception as error:  # whatever the user's own code raises
            raise self._tracing_error(error) from error
        if self._needs_loss and not known[-1]:
            raise UserError(
                f"{self.reason} and reports no loss of a batch, which the selector reads. Return it as 'loss' in the"
                " logs, as the result of a keras.metrics.Mean that it updates, or choose the selector 'random'."
            )
        touched = touched_variables(traced, self.model)
        self._check_rate(touched)
        members = [*variables.model_variables(self.model), *getattr(self.optimizer, "variables", [])]
        others = {id(_value(member)) for member in (*members, *self.metrics.variables)}
        self.own_variables = [variable for variable in touched if id(variable) not in others]
        self._first_values = [variable.numpy() for variable in self.own_variables]

    def reset(self) -> None:
        """Give the variables of other optimizers, and others that only the step uses, the values before the first step.

        Those are the values that they had when the trainer met its first data.
        """
        for variable, value in zip(self.own_variables, self._first_values, strict=True):
            variable.assign(value)

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
        """Let the model train on a batch, as `TrainStep.train` does.

        Returns:
            The loss of the batch as that of each of its samples; if the step reports none, the sum of what its logs
            call a loss.
        """
        whole, batch = batch, rows.take(batch)
        with self.lr_controller.rates_at(timestamp):
            logs, loss = self._run(Samples(batch.x, batch.y, batch.sample_weight))
        self.metrics.keep(logs)
        if after_update is not None:
            after_update(timestamp)
        loss = _sum_of_losses(logs) if loss is None else loss
        losses = tf.zeros_like(batch.indices, tf.float32) + loss  # of a batch whose size may not be static
        stats = SampleStats(batch.indices, losses, batch.valid)
        return rows.scatter_stats(stats, whole)

    def score(self, batch: Batch) -> SampleStats:
        """Refuse to score samples.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self.reason}, so samples cannot be scored by their losses.")

    def _run(self, data: Samples) -> tuple[dict[str, Any], tf.Tensor | None]:
        """Run a step of the model, and return its logs and the loss of the batch, ``float32[]`` or None."""
        with RecordedUpdates(self.metrics.objects) as updates:
            logs = self.model.train_step(as_keras_data(data))
        if not isinstance(logs, dict):
            raise UserError(
                f"train_step() of {type(self.model).__name__} returned {shorten(repr(logs))}; expected its logs, a dict"
                " of numbers by name, as in {'loss': self.loss_tracker.result()}."
            )
        return logs, updates.value_of("loss", logs)

    def _check_rate(self, touched: list[Any]) -> None:
        rate = read_rate(self.optimizer)
        if self.lr_controller.schedule is not None and not any(variable is _value(rate) for variable in touched):
            raise UserError(
                "schedule= sets the learning rate of model.optimizer, which train_step() of"
                f" {type(self.model).__name__} does not use. Give each optimizer a schedule of its own, one of"
                " keras.optimizers.schedules, and leave schedule= out."
            )

    def _tracing_error(self, error: Exception) -> UserError:
        if self.model.compiled and self.model.loss is None and "No loss to compute" in str(error):
            return UserError(NO_LOSS)
        lines = [line for line in str(error).splitlines() if line.strip()] or [""]
        eager = " It is compiled with run_eagerly=True, and runs as a graph here." if self.model.run_eagerly else ""
        return UserError(
            f"{type(self.model).__name__} cannot take a training step on these data: {type(error).__name__}:"
            f" {shorten(lines[0].strip(), 200).rstrip('.')}.{eager}"
        )


def _value(variable: Any) -> Any:
    """Return the variable of TensorFlow behind one of Keras."""
    return getattr(variable, "value", variable) if isinstance(variable, keras.Variable) else variable


def _sum_of_losses(logs: dict[str, Any]) -> tf.Tensor:
    """Return the sum of all entries whose names end in "loss", so that the run ends where one is not finite."""
    values = [tf.cast(value, tf.float32) for name, value in logs.items() if name.endswith("loss")]
    return tf.add_n([tf.reduce_sum(value) for value in values]) if values else tf.zeros([])
