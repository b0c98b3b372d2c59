"""Learning rates by layer: an optimizer updates each variable at the rate of its group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules.base import Schedule
from batchsel.training.optim.layer_groups import LayerGroups

_PLAIN_SETTINGS = {
    "learning_rate": 0.01,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
"""Settings with which a trial optimizer applies its plain update at once."""


@contextmanager
def layer_rates(
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[keras.Variable],
    indices: Sequence[int],
    factors: tf.Tensor | None,
) -> Iterator[None]:
    """While open, let an optimizer update each variable at its learning rate times the factor of the variable's group.

    The update is scaled and not the gradient, since Adam and its variants would normalize that again. Decoupled weight
    decay is scaled too, as in PyTorch's parameter groups. Moments, clipping and averages are unchanged; the velocity
    of SGD with momentum sums scaled updates, as under any Keras schedule. It need only be open while a function is
    traced. A factor of 1 changes no bit of the result.

    Args:
        optimizer: A Keras optimizer, or a `LossScaleOptimizer` around one.
        variables: The variables that it will update.
        indices: The group of each variable.
        factors: ``float32[groups]``, or None to leave the optimizer alone.

    Raises:
        UserError: If the optimizer is applied to another variable.

    Example:
        >>> weight, bias = keras.Variable(1.0), keras.Variable(1.0)
        >>> sgd = keras.optimizers.SGD(0.5)
        >>> with layer_rates(sgd, [weight, bias], [0, 1], tf.constant([1.0, 0.5])):
        ...     _ = sgd.apply_gradients([(tf.constant(1.0), weight), (tf.constant(1.0), bias)])
        >>> float(weight.numpy()), float(bias.numpy())
        (0.5, 0.75)
    """
    if factors is None:
        yield
        return
    inner = unwrap_optimizer(optimizer)
    by_group = tf.unstack(factors)
    keys = [keras_private.get_variable_key(inner, variable) for variable in variables]
    factor_by_key = {key: by_group[group] for key, group in zip(keys, indices, strict=True)}

    def scale_rate(variable: Any, rate: Any) -> tf.Tensor:
        factor = factor_by_key.get(keras_private.get_variable_key(inner, variable))
        if factor is None:
            raise UserError(
                f"variable {variable.name!r} has no group of layers: it did not exist, or was not trainable, when the"
                " model was grouped. Build and freeze the model before you create the trainer."
            )
        return tf.cast(tf.cast(rate, tf.float32) * factor, variable.dtype)

    with keras_private.override_learning_rates(inner, scale_rate):
        yield


def check_layer_rates(optimizer: keras.optimizers.Optimizer) -> None:
    """Check that an optimizer supports rates by layer, by a step of a copy at half the rate.

    Args:
        optimizer: The optimizer; it is not changed.

    Raises:
        UserError: If half the rate does not halve the change of a variable, or the optimizer cannot be copied.

    Example:
        >>> check_layer_rates(keras.optimizers.Adam())
        >>> check_layer_rates(keras.optimizers.Ftrl())
        Traceback (most recent call last):
        batchsel.errors.UserError: Ftrl does not support a learning rate for each layer: ...
    """
    inner = unwrap_optimizer(optimizer)
    whole, half = (_first_change(inner, factor) for factor in (1.0, 0.5))
    if not bool(tf.reduce_all(abs(half - 0.5 * whole) <= 0.01 * abs(whole))):
        raise UserError(
            f"{type(inner).__name__} does not support a learning rate for each layer: at half the rate, its first step"
            " is not half as long. Use an optimizer such as SGD, Adam or AdamW, or leave out the schedule with rates"
            " by layer."
        )


def initial_layer_rates(
    schedule: Schedule, groups: LayerGroups, rate: float, batch_size: int | None = None
) -> list[float]:
    """Return the learning rate of each group in the first step, without factors common to all, such as a warm-up.

    Args:
        schedule: The schedule.
        groups: The groups.
        rate: The learning rate at a factor of 1, unless the schedule sets one.
        batch_size: Samples of an update, for a schedule that scales the rate by it; None to leave it unscaled.

    Example:
        >>> from batchsel.schedules.methods.lerac import LeRaC
        >>> groups = LayerGroups((("hidden",), ("outputs",)), (0, 1), (40, 18))
        >>> [round(rate, 6) for rate in initial_layer_rates(LeRaC(eta_min=1e-4), groups, 0.1)]
        [0.1, 0.0001]
    """
    multiple = 1.0 if batch_size is None else schedule.multiple(batch_size)
    common = tf.constant(multiple * (rate if schedule.base_learning_rate is None else schedule.base_learning_rate))
    positions = tf.constant(groups.positions)
    factors = (
        schedule.layer_factors(Timestamp.from_progress(0.0), positions, common)
        if schedule.by_layer
        else tf.ones_like(positions)
    )
    return [float(common * factor) for factor in factors]


def unwrap_optimizer(optimizer: Any) -> Any:
    """Return the optimizer within a `LossScaleOptimizer`, or the optimizer itself.

    Example:
        >>> type(unwrap_optimizer(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()))).__name__
        'SGD'
    """
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _first_change(optimizer: Any, factor: float) -> tf.Tensor:
    try:
        config = optimizer.get_config()
        copy = type(optimizer).from_config(
            {**config, **{key: _PLAIN_SETTINGS[key] for key in _PLAIN_SETTINGS if key in config}}
        )
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UserError(
            f"{type(optimizer).__name__} cannot be copied through its get_config(), so it cannot be checked that it"
            f" supports a learning rate for each layer: {error}"
        ) from error
    # Small values, so that rounding does not hide a short step.
    start = 0.01 * tf.constant([[1.0, -2.0], [0.5, 1.5]])
    variable = keras.Variable(start)
    with layer_rates(copy, [variable], [0], tf.constant([factor])):
        copy.apply_gradients([(tf.constant([[0.5, 0.25], [-1.0, 0.125]]), variable)])
    return variable.value - start
