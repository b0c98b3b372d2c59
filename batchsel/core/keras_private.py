"""Adapter to the private parts of Keras: no other module touches them.

Each function names the private attribute it uses, and why there is no public way.
`tests/core/test_keras_private.py` names the version of Keras that all were checked with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import tensorflow as tf

# Compiled models.


def get_compiled_loss(model: keras.Model) -> Any:
    """Return the container of a model's losses, `Model._compile_loss`.

    `Model.compute_loss` returns the reduced loss only; losses of single samples are needed here.

    Args:
        model: A compiled model.
    """
    return model._compile_loss


def get_compiled_metrics(model: keras.Model) -> Any:
    """Return the container of a model's metrics, `Model._compile_metrics`; None if it has none.

    `Model.compute_metrics` has one weight for plain and weighted metrics, so it cannot leave padding out of both.

    Args:
        model: A compiled model.
    """
    return model._compile_metrics


def get_loss_tracker(model: keras.Model) -> keras.metrics.Metric:
    """Return the running mean of a model's loss, `Model._loss_tracker`.

    `Model.metrics` lists it among others, in an undocumented order.

    Args:
        model: A compiled model.
    """
    return model._loss_tracker


def get_loss_weights(model: keras.Model) -> Any:
    """Return the `loss_weights` that a model was compiled with, `CompileLoss._user_loss_weights`.

    `Model.get_compile_config` would serialize losses and metrics too, and user code may not allow that.

    Args:
        model: A compiled model.
    """
    return model._compile_loss._user_loss_weights


# The containers of losses and metrics.


def list_losses(container: Any) -> list[keras.losses.Loss]:
    """Return the losses of a built container, one for each output that has one, `CompileLoss._flat_losses`.

    `Model.loss` holds them as the user wrote them: names, functions, nested.

    Args:
        container: From `get_compiled_loss`.
    """
    return [entry.loss for entry in container._flat_losses]


def list_loss_paths(container: Any) -> list[tuple[Any, ...]]:
    """Return the keys that lead to the output of each loss of a built container, in the order of `list_losses`.

    Args:
        container: From `get_compiled_loss`.
    """
    return [tuple(entry.path) for entry in container._flat_losses]


def copy_compiled_loss(container: Any, losses: Iterable[keras.losses.Loss], metrics: Sequence[Any]) -> Any:
    """Return a copy of a built container with other losses: `CompileLoss._flat_losses` and `_metrics`.

    A new container would resolve the names of outputs again, and lose how the model was compiled.

    Args:
        container: From `get_compiled_loss`.
        losses: In the order of `list_losses`.
        metrics: Objects whose `update_state` is called with the value of each loss, if there are several.
    """
    clone = object.__new__(type(container))  # copy.copy() would try to save it as a model
    vars(clone).update(vars(container))
    entries = zip(container._flat_losses, losses, strict=True)
    clone._flat_losses = [entry._replace(loss=loss) for entry, loss in entries]
    clone._metrics = metrics
    return clone


def list_metrics(container: Any) -> list[tuple[list[Any], list[Any]]]:
    """Return the metrics of each output, plain and weighted: `CompileMetrics._flat_metrics`, `_flat_weighted_metrics`.

    `CompileMetrics.metrics` does not tell which output a metric belongs to.

    Args:
        container: From `get_compiled_metrics`, built.
    """
    pairs = zip(container._flat_metrics, container._flat_weighted_metrics, strict=True)
    return [(plain.metrics if plain else [], weighted.metrics if weighted else []) for plain, weighted in pairs]


def flatten_outputs(container: Any, values: Any) -> list[Any]:
    """Return the targets or outputs of a model in the order of `list_metrics`, `CompileMetrics._flatten_y`.

    `keras.tree.flatten` sorts a dictionary by key, not by the order of the outputs.

    Args:
        container: From `get_compiled_metrics`, built.
        values: One tensor, or a list or dictionary of them.
    """
    return container._flatten_y(values)


# Losses and masks.


def get_loss_options(loss: keras.losses.Loss) -> dict[str, Any]:
    """Return the arguments that a loss passes to its function, `LossFunctionWrapper._fn_kwargs`; empty without any.

    `Loss.get_config` cannot be relied on for losses that users define.

    Args:
        loss: Any loss.
    """
    return getattr(loss, "_fn_kwargs", {})


def replace_loss_options(loss: keras.losses.Loss, **options: Any) -> keras.losses.Loss:
    """Return a copy of a loss that passes other arguments to its function, `LossFunctionWrapper._fn_kwargs`.

    Args:
        loss: A loss that wraps a function.
        **options: The arguments to change.
    """
    copy = object.__new__(type(loss))
    vars(copy).update(vars(loss), _fn_kwargs={**get_loss_options(loss), **options})
    return copy


def get_mask(tensor: Any) -> tf.Tensor | None:
    """Return the mask that a Keras layer attached to its output, `_keras_mask`; None without one.

    `Layer.compute_mask` would run the layers again.

    Args:
        tensor: A tensor.
    """
    return getattr(tensor, "_keras_mask", None)


# Layers and graphs.


def list_layers(layer: keras.Layer, include_self: bool = True) -> list[keras.Layer]:
    """Return a layer and all layers within it at any depth, `Layer._flatten_layers`.

    `Model.layers` does not enter composite layers.

    Args:
        layer: A layer or a model.
        include_self: List `layer` itself too.
    """
    return list(layer._flatten_layers(include_self=include_self, recursive=True))


def list_nodes(model: keras.Model) -> list[Any] | None:
    """Return the nodes of a functional model from inputs to outputs, `Function._nodes_by_depth`; None without a graph.

    `Model.layers` does not tell which layer feeds which. A Sequential model hides its graph, and counts as a model
    without one.

    Args:
        model: A built model.
    """
    by_depth = getattr(model, "_nodes_by_depth", None)
    if by_depth is None:
        return None
    # Keras counts depths from the outputs.
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


# Optimizers.


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
