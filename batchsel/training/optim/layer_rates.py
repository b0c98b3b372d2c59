"""Learning rates by layer: what an optimizer does to a variable is done at the rate of the variable's group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules.base import Schedule
from batchsel.training.optim.layer_groups import LayerGroups

_PLAIN = {
    "learning_rate": 0.01,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
"""Settings with which an optimizer takes its step at once, when it is tried."""


@contextmanager
def layer_rates(
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[keras.Variable],
    of: Sequence[int],
    factors: tf.Tensor | None,
) -> Iterator[None]:
    """While this is open, the optimizer applies to each variable its learning rate times the factor of its group.

    The update is scaled and not the gradient, which Adam and its kin would divide by itself again; and so is decoupled
    weight decay, as in PyTorch's groups of parameters. Moments, clipping and averages are what they were; the velocity
    of SGD with momentum sums up scaled updates, as it does under any schedule of Keras. It
    is enough that this is open while a function is traced. At a factor of 1, nothing changes by a bit.

    Args:
        optimizer: A Keras optimizer, or one that scales the loss around another.
        variables: Those that it will be given.
        of: The group of each variable.
        factors: ``float32[groups]``, or None to leave the optimizer alone.

    Raises:
        UserError: If the optimizer is given another variable.

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
    inner = innermost(optimizer)
    update, decay = inner.update_step, inner._apply_weight_decay
    by_group = tf.unstack(factors)
    own_factor = {inner._var_key(variable): by_group[group] for variable, group in zip(variables, of, strict=True)}

    def scaled(rate: Any, variable: Any) -> tf.Tensor:
        factor = own_factor.get(inner._var_key(variable))
        if factor is None:
            raise UserError(
                f"variable {variable.name!r} has no group of layers: it was not there, or not trainable, when the model"
                " was grouped. Build and freeze the model before the trainer is made."
            )
        return tf.cast(tf.cast(rate, tf.float32) * factor, variable.dtype)

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        update(gradient, variable, scaled(learning_rate, variable))

    def apply_weight_decay(variables: Sequence[Any]) -> None:
        common = inner.learning_rate
        for variable in variables:
            with _replaced(inner, "_get_current_learning_rate", lambda own=variable: scaled(common, own)):
                decay([variable])

    with _replaced(inner, "update_step", update_step), _replaced(inner, "_apply_weight_decay", apply_weight_decay):
        yield


def check_layer_rates(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes sure that an optimizer goes by the rate of each variable: a copy of it takes a step at half the rate.

    Args:
        optimizer: The optimizer; it is left as it is.

    Raises:
        UserError: If the change of the variable is not half of what it is otherwise, or no copy can be made.

    Example:
        >>> check_layer_rates(keras.optimizers.Adam())
        >>> check_layer_rates(keras.optimizers.Ftrl())
        Traceback (most recent call last):
        batchsel.errors.UserError: Ftrl does not go by a learning rate for each layer: ...
    """
    inner = innermost(optimizer)
    whole, half = (_first_change(inner, factor) for factor in (1.0, 0.5))
    if not bool(tf.reduce_all(abs(half - 0.5 * whole) <= 0.01 * abs(whole))):
        raise UserError(
            f"{type(inner).__name__} does not go by a learning rate for each layer: at half the rate, a first step is"
            " not half as long. Expected an optimizer such as SGD, Adam or AdamW; or leave out the schedule whose"
            " rates differ by layer."
        )


def rates_at_start(schedule: Schedule, groups: LayerGroups, rate: float, batch_size: int | None = None) -> list[float]:
    """The learning rate of each group in the first step of a run, but for what all groups share, such as a warm-up.

    Args:
        schedule: The schedule.
        groups: The groups.
        rate: The learning rate that the factor 1 stands for, unless the schedule states one.
        batch_size: Samples of an update, for a schedule that scales the rate by it; None to leave it unscaled.

    Example:
        >>> from batchsel.schedules.methods.lerac import LeRaC
        >>> groups = LayerGroups((("hidden",), ("outputs",)), (0, 1), (40, 18))
        >>> [round(rate, 6) for rate in rates_at_start(LeRaC(eta_min=1e-4), groups, 0.1)]
        [0.1, 0.0001]
    """
    multiple = 1.0 if batch_size is None else schedule.multiple(batch_size)
    common = tf.constant(multiple * (rate if schedule.base_learning_rate is None else schedule.base_learning_rate))
    places = tf.constant(groups.places)
    factors = (
        schedule.layers(Timestamp.from_progress(0.0), places, common) if schedule.by_layer else tf.ones_like(places)
    )
    return [float(common * factor) for factor in factors]


def innermost(optimizer: Any) -> Any:
    """The optimizer itself, where others around it scale the loss.

    Args:
        optimizer: A Keras optimizer.

    Example:
        >>> type(innermost(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()))).__name__
        'SGD'
    """
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer


@contextmanager
def _replaced(thing: Any, name: str, value: Callable[..., Any]) -> Iterator[None]:
    """Gives one object another method for a while. Past its `__setattr__`, which would keep track of it."""
    own = vars(thing)
    before = own.get(name)
    own[name] = value
    try:
        yield
    finally:
        if before is None:
            del own[name]
        else:
            own[name] = before


def _first_change(optimizer: Any, factor: float) -> tf.Tensor:
    try:
        config = optimizer.get_config()
        copy = type(optimizer).from_config({**config, **{key: _PLAIN[key] for key in _PLAIN if key in config}})
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UserError(
            f"{type(optimizer).__name__} cannot be made again from its get_config(), so it cannot be tried whether it"
            f" goes by a learning rate for each layer: {error}"
        ) from error
    # Small, so that rounding does not hide a short step.
    start = 0.01 * tf.constant([[1.0, -2.0], [0.5, 1.5]])
    variable = keras.Variable(start)
    with layer_rates(copy, [variable], [0], tf.constant([factor])):
        copy.apply_gradients([(tf.constant([[0.5, 0.25], [-1.0, 0.125]]), variable)])
    return variable.value - start
