"""Private parts of Keras's optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import tensorflow as tf


def get_learning_rate_setting(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return an optimizer's learning rate as a variable, a schedule or a function, `Optimizer._learning_rate`.

    `Optimizer.learning_rate` is the value at the current step.

    Args:
        optimizer: An optimizer that does not wrap another.
    """
    return getattr(optimizer, "_learning_rate", None)


def get_variable_key(optimizer: keras.optimizers.Optimizer, variable: Any) -> Any:
    """Return the key by which an optimizer recognizes a variable, `Optimizer._var_key`.

    Within a trace, an optimizer may see the TensorFlow variable behind it, which is a different object.

    Args:
        optimizer: Any optimizer.
        variable: A variable.
    """
    return optimizer._var_key(variable)


def get_adam_moments(optimizer: keras.optimizers.Lamb, variable: Any) -> tuple[Any, Any]:
    """Return the first and second moment of a variable, `Lamb._momentums` and `_velocities`.

    `Optimizer.variables` lists them without saying which is which.

    Args:
        optimizer: A built optimizer.
        variable: A variable that it updates.
    """
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


class GradientTransform(keras.optimizers.Optimizer):
    """Mixin of an optimizer: transform gradients just before Keras clips them, `Optimizer._clip_gradients`.

    In an override of `apply`, gradients would still contain the loss scale, and not be accumulated yet.
    """

    def transform_gradients(self, gradients: list[Any]) -> list[Any]:
        """Return the gradients to be clipped and applied.

        Args:
            gradients: One for each variable; None where there is none.
        """
        raise NotImplementedError

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        return super()._clip_gradients(self.transform_gradients(grads))


@contextmanager
def override_learning_rates(
    optimizer: keras.optimizers.Optimizer, rate_for: Callable[[Any, Any], Any]
) -> Iterator[None]:
    """Within the block, let an optimizer update and decay each variable at its own rate.

    It replaces `update_step`, `Optimizer._apply_weight_decay` and `_get_current_learning_rate` of this object; Keras
    has one rate for all variables. Only the trace of the update has to be within it.

    Args:
        optimizer: An optimizer that does not wrap another.
        rate_for: Function of a variable and the common rate that returns the variable's rate.
    """
    update, decay = optimizer.update_step, optimizer._apply_weight_decay

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        update(gradient, variable, rate_for(variable, learning_rate))

    def apply_weight_decay(variables: Sequence[Any]) -> None:
        common = optimizer.learning_rate
        for variable in variables:
            own_rate = partial(rate_for, variable, common)
            with _replace_attribute(optimizer, "_get_current_learning_rate", own_rate):
                decay([variable])

    with (
        _replace_attribute(optimizer, "update_step", update_step),
        _replace_attribute(optimizer, "_apply_weight_decay", apply_weight_decay),
    ):
        yield


@contextmanager
def keep_gradients(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Within the block, let an optimizer apply gradients that are summed over replicas already.

    Keras sums them itself, `Optimizer._all_reduce_sum_gradients`, but only after it has clipped those of each replica.
    Only the trace of the update has to be within it.

    Args:
        optimizer: An optimizer that does not wrap another.
    """
    with _replace_attribute(optimizer, "_all_reduce_sum_gradients", lambda pairs: pairs):
        yield


@contextmanager
def update_replicas(optimizer: keras.optimizers.Optimizer, strategy: Any) -> Iterator[None]:
    """Within the block, let a call of an optimizer outside of replicas update the variables of all of them.

    Keras expects the call within each replica, and lets the replicas wait for each other before they update, which
    TensorFlow cannot trace in a branch; averages of weights and sums of gradients need one. It replaces
    `Optimizer._backend_update_step`, `_apply_weight_decay`, `_backend_increment_gradient_accumulators` and
    `_update_model_variables_moving_average` of this object. Only the trace of the update has to be within it.

    Args:
        optimizer: An optimizer that does not wrap another, made within the scope of the strategy.
        strategy: A `tf.distribute.MirroredStrategy`.
    """
    replicas: Any = strategy.extended

    def update(variables: Sequence[Any], function: Callable[..., Any], *others: Sequence[Any]) -> None:
        for variable, *values in zip(variables, *others, strict=True):
            replicas.update(_unwrap(variable), function, args=tuple(map(_unwrap, values)), group=False)

    def update_step(gradients: Sequence[Any], variables: Sequence[Any], rate: Any) -> None:
        update(variables, lambda variable, gradient: optimizer.update_step(gradient, variable, rate), gradients)

    def decay(variable: Any) -> None:
        if optimizer._use_weight_decay(variable):
            share = tf.cast(optimizer.weight_decay, variable.dtype)
            variable.assign_sub(variable * share * tf.cast(optimizer.learning_rate, variable.dtype))

    def decay_all(variables: Sequence[Any]) -> None:
        if optimizer.weight_decay is not None:
            update(variables, decay)

    def average(mean: Any, variable: Any) -> None:
        momentum = tf.where(tf.equal(optimizer.iterations, 0), 0.0, optimizer.ema_momentum)
        momentum = tf.cast(momentum, variable.dtype)
        mean.assign(momentum * mean + (1 - momentum) * variable)

    def average_all(variables: Sequence[Any]) -> None:
        pairs = zip(optimizer._model_variables_moving_average, variables, strict=True)
        known = [(mean, variable) for mean, variable in pairs if mean is not None]
        update([mean for mean, _ in known], average, [variable for _, variable in known])

    def accumulate(gradients: Sequence[Any], sums: Sequence[Any]) -> None:
        update(sums, lambda total, gradient: total.assign(total + gradient), gradients)

    with (
        _replace_attribute(optimizer, "_backend_update_step", update_step),
        _replace_attribute(optimizer, "_apply_weight_decay", decay_all),
        _replace_attribute(optimizer, "_backend_increment_gradient_accumulators", accumulate),
        _replace_attribute(optimizer, "_update_model_variables_moving_average", average_all),
    ):
        yield


def _unwrap(value: Any) -> Any:
    """Return the TensorFlow variable of a Keras variable, and any other value as it is."""
    return value.value if isinstance(value, keras.Variable) else value


@contextmanager
def override_momentum(optimizer: keras.optimizers.Optimizer, name: str, momentum: tf.Tensor) -> Iterator[None]:
    """Within the block, let a tensor stand for an optimizer's momentum, which Keras treats as a plain number.

    Only the trace of the update has to be within it.

    Args:
        optimizer: An optimizer that does not wrap another.
        name: Its attribute, "momentum" or "beta_1".
        momentum: ``float32[]``.
    """
    with _replace_attribute(optimizer, name, _Momentum(momentum) if name == "momentum" else momentum):
        yield


class _Momentum:
    """A tensor that compares as a number above 0: SGD and RMSprop test their momentum in Python."""

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
def _replace_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute of one object for a while, past its `__setattr__`, which would track the value."""
    own = vars(owner)
    missing = name not in own
    before = own.get(name)
    own[name] = value
    try:
        yield
    finally:
        if missing:
            del own[name]
        else:
            own[name] = before
