"""Control of an optimizer's learning rate, rates by layer and momentum during training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError
from batchsel.schedules import Schedule
from batchsel.schedules.validation import check_factors
from batchsel.training.optim.layer_groups import LayerGroups, layer_groups
from batchsel.training.optim.layer_rates import check_layer_rates, layer_rates, unwrap_optimizer


class LRController:
    """Sets the learning rate of a compiled model's optimizer before each update.

    Args:
        model: A compiled Keras model.
        schedule: Factor of the learning rate, or None to leave the rate to the optimizer and to callbacks.
        batch_size: Samples of an update, for schedules that scale the rate by it.

    Raises:
        UserError: If both the optimizer and `schedule` change the learning rate, or the schedule sets a momentum that
            the optimizer does not have.
    """

    def __init__(self, model: keras.Model, schedule: Schedule | None, batch_size: int) -> None:
        self._model = model
        self.optimizer: Any = model.optimizer
        self._stated_schedule = schedule
        self._multiple = 1.0 if schedule is None else schedule.multiple(batch_size)
        self.schedule = None if schedule is None else schedule.bind(batch_size, self._multiple)
        self.initial_rate = _read_initial_rate(self.optimizer, schedule)
        initial: Any = self.initial_rate
        self.base_rate = tf.Variable(initial, trainable=False, dtype=tf.float32, name="base_learning_rate")
        self._groups: LayerGroups | None = None
        if self.schedule is not None:
            check_factors(self.schedule)
            if self.schedule.momentum(Timestamp.from_progress(0.0)) is not None:
                _find_momentum(self.optimizer)  # raises before anything is built
        if self.by_layer:
            check_layer_rates(self.optimizer)

    def check_batch_size(self, batch_size: int, stated: int) -> None:
        """Check that a schedule does not scale the rate by a batch size that the data do not fill.

        Args:
            batch_size: Samples of a batch.
            stated: The batch size that the schedule knows of.

        Raises:
            UsageError: If it does.
        """
        schedule = self._stated_schedule
        if batch_size < stated and schedule is not None and schedule.multiple(batch_size) != schedule.multiple(stated):
            raise UsageError(
                f"the schedule {schedule!r} scales the learning rate for batches of {stated}, and the data have only"
                f" {batch_size} samples; use batch_size={batch_size}."
            )

    def capture_base_rate(self) -> None:
        """Make the optimizer's current learning rate the base of the schedule, unless that has a base of its own."""
        if self.schedule is not None:
            self.base_rate.assign(float(self.optimizer.learning_rate.numpy()))

    def restore_base_rate(self) -> None:
        """Set the optimizer's learning rate back to the base of the schedule."""
        if self.schedule is not None:
            self.optimizer.learning_rate.assign(float(self.base_rate.numpy()))

    def reset_rate(self, rate: float | None = None) -> None:
        """Set the learning rate back to its initial value, unless the optimizer has a schedule of its own.

        Args:
            rate: A new initial value, or None to keep the old one.

        Raises:
            UserError: If the optimizer has a schedule of its own, or the schedule sets another rate.
        """
        scheduled = None if self.schedule is None else self.schedule.base_learning_rate
        if None not in (rate, scheduled) and rate != scheduled:
            raise UserError(
                f"the schedule {self.schedule!r} sets the learning rate; it cannot also be set to {rate:g}. Drop one."
            )
        fixed = hasattr(read_rate(self.optimizer), "assign")
        if rate is not None:
            if not fixed:
                raise UserError(
                    "the optimizer has a learning-rate schedule of its own, or several rates; no learning rate can be"
                    " set."
                )
            self.initial_rate = float(rate)
        if fixed:
            self.optimizer.learning_rate.assign(self.initial_rate)
        self.base_rate.assign(self.initial_rate)

    @property
    def by_layer(self) -> bool:
        """True if layers have different rates."""
        return self.schedule is not None and self.schedule.by_layer

    @property
    def groups(self) -> LayerGroups:
        """The groups of layers that share a rate; the model must be built."""
        if self._groups is None:
            self._groups = layer_groups(self._model, self.schedule and self.schedule.layer_grouping)
        return self._groups

    def apply_gradients(self, gradients: Sequence[Any], timestamp: Timestamp) -> None:
        """Update the model with the rates and the momentum of the schedule.

        Args:
            gradients: One for each trainable variable of the model.
            timestamp: Time of the update.
        """
        with self.rates_at(timestamp):
            self.optimizer.apply_gradients(zip(gradients, self._model.trainable_variables, strict=True))

    @contextmanager
    def rates_at(self, timestamp: Timestamp) -> Iterator[None]:
        """Let updates that are traced within the block have the rates and the momentum of the schedule.

        Args:
            timestamp: Time of the update.
        """
        variables, schedule = self._model.trainable_variables, self.schedule
        with ExitStack() as stack:
            if schedule is not None:
                self.optimizer.learning_rate.assign(self._base_rate(schedule) * schedule.factor(timestamp))
                momentum = schedule.momentum(timestamp)
                if momentum is not None:
                    stack.enter_context(keras_private.override_momentum(*_find_momentum(self.optimizer), momentum))
                if schedule.by_layer:
                    factors = self._layer_factors(schedule, timestamp)
                    stack.enter_context(layer_rates(self.optimizer, variables, self.groups.indices, factors))
            yield

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the values that the schedule gave the last update, ``float32[]`` by name; empty without a schedule.

        Args:
            timestamp: Time of the update.
        """
        if self.schedule is None:
            return {}
        rate = tf.cast(self.optimizer.learning_rate, tf.float32)  # as assigned for the update
        values = {"learning rate": rate}
        momentum = self.schedule.momentum(timestamp)
        if momentum is not None:
            values["momentum"] = momentum
        if self.schedule.by_layer:
            rates = tf.unstack(rate * self._layer_factors(self.schedule, timestamp))
            values |= {f"rate of group {group}": value for group, value in enumerate(rates)}
        return values

    def _base_rate(self, schedule: Schedule) -> tf.Tensor:
        scheduled = schedule.base_learning_rate
        return self.base_rate.read_value() if scheduled is None else tf.constant(scheduled, tf.float32)

    def _layer_factors(self, schedule: Schedule, timestamp: Timestamp) -> tf.Tensor:
        positions = tf.constant(self.groups.positions, tf.float32)
        return schedule.layer_factors(timestamp, positions, self._base_rate(schedule) * self._multiple)


def read_rate(optimizer: Any) -> Any:
    """Return the learning rate of an optimizer; None if it has none of its own, as `keras.optimizers.MultiOptimizer`.

    Args:
        optimizer: Any optimizer.
    """
    try:
        return optimizer.learning_rate
    except AttributeError:
        return None


def _find_momentum(optimizer: keras.optimizers.Optimizer) -> tuple[keras.optimizers.Optimizer, str]:
    """Return the optimizer that has a momentum, and the attribute that holds it."""
    owner = unwrap_optimizer(optimizer)
    for name in ("momentum", "beta_1"):
        if vars(owner).get(name):
            return owner, name
    raise UserError(
        f"the schedule sets a momentum, and {type(owner).__name__} has none. Build it with one, as in"
        " keras.optimizers.SGD(momentum=0.9) or --optimizer 'sgd(momentum=0.9)', or leave it out of the schedule."
    )


def _read_initial_rate(optimizer: Any, schedule: Schedule | None) -> float:
    """Return the optimizer's learning rate; 0 if it has a schedule of its own."""
    setting = keras_private.get_learning_rate_setting(unwrap_optimizer(optimizer))
    fixed = not callable(setting)  # as schedules are, and functions
    if schedule is not None and not fixed:
        raise UserError(
            "the optimizer has a learning-rate schedule of its own. Use either that or schedule=, not both."
        )
    rate = read_rate(optimizer)
    if schedule is not None and rate is None:
        raise UserError(
            f"{type(optimizer).__name__} has no learning rate that schedule= could set. Leave schedule= out, and give"
            " each optimizer within it a learning-rate schedule of its own."
        )
    return float(rate.numpy()) if fixed and rate is not None else 0.0
