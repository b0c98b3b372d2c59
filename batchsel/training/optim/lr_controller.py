"""How fast a run goes at each moment: the learning rate, that of each layer, and the momentum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules import Schedule
from batchsel.schedules.checking import check_factors
from batchsel.training.optim.layer_groups import LayerGroups, layer_groups
from batchsel.training.optim.layer_rates import check_layer_rates, innermost, layer_rates


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
        self.optimizer = optimizer = model.optimizer
        self.schedule = None if schedule is None else schedule.bound(batch_size, schedule.multiple(batch_size))
        self._multiple = 1.0 if schedule is None else schedule.multiple(batch_size)
        self.first_rate = _own_rate(optimizer, schedule)
        self.base_rate = tf.Variable(self.first_rate, trainable=False, dtype=tf.float32, name="base_learning_rate")
        self._groups: LayerGroups | None = None
        if schedule is not None:
            check_factors(self.schedule)
        if schedule is not None and schedule.momentum(Timestamp.from_progress(0.0)) is not None:
            _steered(optimizer)  # refuses what cannot be steered before anything is built
        if self.by_layer:
            check_layer_rates(optimizer)

    def read_rate(self) -> None:
        """Takes the optimizer's learning rate as the one that the schedule scales, unless that states another."""
        if self.schedule is not None:
            self.base_rate.assign(float(self.optimizer.learning_rate.numpy()))

    def put_rate_back(self) -> None:
        """Gives the optimizer the learning rate that it had before the schedule."""
        if self.schedule is not None:
            self.optimizer.learning_rate.assign(float(self.base_rate.numpy()))

    def reset_rate(self, rate: float | None = None) -> None:
        """Puts the learning rate back to what it was first, unless the optimizer has a schedule of its own.

        Args:
            rate: Another one, from now on the first.

        Raises:
            UserError: If the optimizer has a schedule of its own, or the schedule states another rate.
        """
        stated = None if self.schedule is None else self.schedule.base_learning_rate
        if None not in (rate, stated) and rate != stated:
            raise UserError(
                f"the schedule {self.schedule!r} states the learning rate; {rate:g} cannot be set beside it."
            )
        fixed = hasattr(self.optimizer.learning_rate, "assign")
        if rate is not None:
            if not fixed:
                raise UserError("the optimizer has a learning-rate schedule of its own; no learning rate can be set.")
            self.first_rate = float(rate)
        if fixed:
            self.optimizer.learning_rate.assign(self.first_rate)
        self.base_rate.assign(self.first_rate)

    @property
    def by_layer(self) -> bool:
        """Whether layers have rates of their own."""
        return self.schedule is not None and self.schedule.by_layer

    @property
    def groups(self) -> LayerGroups:
        """The groups of layers that have rates of their own; known when the model is built."""
        if self._groups is None:
            self._groups = layer_groups(self._model)
        return self._groups

    def update(self, gradients: Sequence[Any], timestamp: Timestamp) -> None:
        """Applies gradients at the rate of the moment.

        Args:
            gradients: One for each trainable variable of the model.
            timestamp: Where the run stands.
        """
        variables, schedule = self._model.trainable_variables, self.schedule
        with ExitStack() as stack:
            if schedule is not None:
                rate = self._rate()
                self.optimizer.learning_rate.assign(rate * schedule.factor(timestamp))
                momentum = schedule.momentum(timestamp)
                if momentum is not None:
                    stack.enter_context(_with_momentum(self.optimizer, momentum))
                if schedule.by_layer:
                    stack.enter_context(layer_rates(self.optimizer, variables, self.groups.of, self._layers(timestamp)))
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """What is worth recording of the last update: ``float32[]`` by name; nothing without a schedule.

        Args:
            timestamp: Where it stands.
        """
        if self.schedule is None:
            return {}
        rate = tf.cast(self.optimizer.learning_rate, tf.float32)  # what was used, just after it was
        found = {"learning rate": rate}
        momentum = self.schedule.momentum(timestamp)
        if momentum is not None:
            found["momentum"] = momentum
        if self.schedule.by_layer:
            rates = tf.unstack(rate * self._layers(timestamp))
            found |= {f"rate of group {group}": one for group, one in enumerate(rates)}
        return found

    def _rate(self) -> tf.Tensor:
        stated = self.schedule.base_learning_rate
        return self.base_rate.read_value() if stated is None else tf.constant(stated, tf.float32)

    def _layers(self, timestamp: Timestamp) -> tf.Tensor:
        places = tf.constant(self.groups.places, tf.float32)
        return self.schedule.layers(timestamp, places, self._rate() * self._multiple)


class _Momentum:
    """A tensor in place of the plain number that Keras's SGD and RMSprop compare with 0 to see whether there is any."""

    def __init__(self, value: tf.Tensor) -> None:
        self._value = value

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> tf.Tensor:
        return self._value if dtype is None else tf.cast(self._value, dtype)

    def __ne__(self, other: object) -> bool:
        return True

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __gt__(self, other: object) -> bool:
        return True


@contextmanager
def _with_momentum(optimizer: keras.optimizers.Optimizer, momentum: tf.Tensor) -> Iterator[None]:
    """While an update is traced, the optimizer's momentum is a tensor."""
    owner, name = _steered(optimizer)
    before = vars(owner)[name]
    # Past Keras's __setattr__, which tracks what it is given.
    vars(owner)[name] = _Momentum(momentum) if name == "momentum" else momentum
    try:
        yield
    finally:
        vars(owner)[name] = before


def _steered(optimizer: keras.optimizers.Optimizer) -> tuple[keras.optimizers.Optimizer, str]:
    """The optimizer that has a momentum, and what it calls it."""
    owner = innermost(optimizer)
    for name in ("momentum", "beta_1"):
        if vars(owner).get(name):
            return owner, name
    raise UserError(
        f"the schedule sets a momentum, and {type(owner).__name__} has none. Build it with one, as in"
        " keras.optimizers.SGD(momentum=0.9) or --optimizer 'sgd(momentum=0.9)', or leave it out of the schedule."
    )


def _own_rate(optimizer: keras.optimizers.Optimizer, schedule: Schedule | None) -> float:
    """The optimizer's learning rate; 0 if it follows a schedule of its own."""
    own = getattr(innermost(optimizer), "_learning_rate", None)
    fixed = not isinstance(own, keras.optimizers.schedules.LearningRateSchedule)
    if schedule is not None and not fixed:
        raise UserError(
            "the optimizer has a learning-rate schedule of its own; give either that or schedule=, not both."
        )
    return float(optimizer.learning_rate.numpy()) if fixed else 0.0
