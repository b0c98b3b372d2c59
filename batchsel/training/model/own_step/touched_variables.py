"""The variables that a traced train step reads or writes, those of optimizers as attributes of the model included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras


def touched_variables(traced: Any, model: keras.Model) -> list[Any]:
    """Return the variables of TensorFlow that a traced function captures, in the order of their first use.

    Args:
        traced: A concrete function.
        model: The model; optimizers among its attributes are searched for variables that are written and never read.

    Example:
        >>> import tensorflow as tf
        >>> first, second = tf.Variable(1.0), tf.Variable(2.0)
        >>> traced = tf.function(lambda: second + first).get_concrete_function()
        >>> [variable is second for variable in touched_variables(traced, keras.Model())]
        [True, False]
    """
    known = [*traced.graph.variables, *_tensorflow_variables(_list_optimizers(vars(model).values()))]
    by_handle = {id(variable.handle): variable for variable in known}
    captured = [by_handle.get(id(tensor)) for tensor in traced.captured_inputs]
    return list({id(variable): variable for variable in captured if variable is not None}.values())


def _list_optimizers(members: Iterable[Any]) -> Iterator[Any]:
    for member in members:
        if isinstance(member, keras.optimizers.Optimizer):
            yield member
        elif isinstance(member, list | tuple):
            yield from _list_optimizers(member)
        elif isinstance(member, dict):
            yield from _list_optimizers(member.values())


def _tensorflow_variables(optimizers: Iterable[Any]) -> list[Any]:
    return [getattr(variable, "value", variable) for optimizer in optimizers for variable in optimizer.variables]
