"""Variables that a run changes and Keras does not know: of losses, of metrics, in plain functions, in attributes."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private

_DEPTH = 5
"""Steps from a layer, loss or metric to a variable, such as layer, attribute, list, variable."""
_LIBRARIES = ("keras", "tensorflow", "numpy")
"""Packages whose functions keep no state of a run."""


def untracked_variables(model: keras.Model, known: Iterable[Any] = ()) -> list[Any]:
    """Return the variables that the layers, losses and metrics of a model hold and the model does not, each once.

    Keras tracks its own variables in layers; not those of losses, nor TensorFlow's, nor any that a function takes from
    around it, as one that counts its calls does.

    Args:
        model: A compiled model.
        known: Variables that are to be left out.

    Example:
        >>> calls = tf.Variable(0.0)
        >>> def loss(y, y_pred):
        ...     calls.assign_add(1.0)
        ...     return keras.losses.mean_squared_error(y, y_pred)
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", loss)
        >>> len(untracked_variables(model, model.variables))
        1
    """
    tracked = [*known, *(variable for metric in model.metrics for variable in metric.variables)]
    left_out = {id(value): value for value in map(_value, tracked)}  # kept, so that no other object gets their ids
    layers = keras_private.list_layers(model)
    metrics = keras_private.get_compiled_metrics(model)
    compiled = [getattr(model, "loss", None), [] if metrics is None else list(vars(metrics).values())]
    seen: set[int] = set()
    found = []
    for place in (compiled, *map(vars, layers)):
        for variable in _walk(place, _DEPTH, seen):
            value = _value(variable)
            if id(value) not in left_out:
                left_out[id(value)] = value
                found.append(variable)
    return found


def _value(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _walk(value: Any, depth: int, seen: set[int]) -> Iterator[Any]:
    """Yield the variables that a value holds."""
    if isinstance(value, keras.Variable | tf.Variable):
        yield value
        return
    if depth == 0 or id(value) in seen:
        return
    parts = _parts(value)
    if parts:
        seen.add(id(value))
    for part in parts:
        yield from _walk(part, depth - 1, seen)


def _parts(value: Any) -> list[Any]:
    """Return what a value is made of; nothing for what holds no variables of a user."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, types.MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, types.FunctionType):
        if (value.__module__ or "").split(".")[0] in _LIBRARIES:
            return []
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        return [*cells, *(value.__defaults__ or ())] + [
            value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__
        ]
    if isinstance(value, keras.losses.Loss | keras.metrics.Metric):
        return list(vars(value).values())
    return []


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # of a name that was never bound
        return False
