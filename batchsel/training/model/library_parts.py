"""Parts of a model whose code is known, because Keras or this package wrote it; a user's may do anything."""

from __future__ import annotations

from typing import Any

import keras

from batchsel.core import keras_private

_KNOWN_LAYERS = ("keras.src.layers.", "keras.src.models.", "batchsel.")
_RUN_CODE = (keras.layers.Lambda,)
"""Layers of Keras that run code of the user."""
_ELEMENTWISE = {
    "Abs", "Add", "Divide", "Equal", "Exp", "Gelu", "Greater", "Less", "LogicalAnd", "LogicalNot", "LogicalOr",
    "Multiply", "NotEqual", "Relu", "Sigmoid", "Silu", "Subtract", "Tanh",
}  # fmt: skip
"""Operations of Keras that compute each element from one of each operand."""


def is_of_library(loss: keras.losses.Loss) -> bool:
    """Return whether Keras or this package wrote a loss, and not the user.

    Args:
        loss: A loss, or Keras's wrapper of a function.

    Example:
        >>> is_of_library(keras.losses.MeanSquaredError())
        True
    """
    function = getattr(loss, "fn", None)
    modules = [type(loss).__module__, *([] if function is None else [getattr(function, "__module__", None) or ""])]
    return all(module.split(".")[0] in ("keras", "batchsel") for module in modules)


def sees_rows_alone(model: keras.Model) -> bool:
    """Return whether the outputs for a sample are known not to depend on the other samples of its batch.

    Layers and operations that a user wrote may mean over a batch, count calls, or draw numbers for it. So may stateful
    layers, and those that are called as in training.

    Args:
        model: A built model.

    Example:
        >>> sees_rows_alone(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
        True
    """
    layers = keras_private.list_layers(model)
    if any(isinstance(layer, _RUN_CODE) or getattr(layer, "stateful", False) for layer in layers):
        return False
    if not all(type(layer).__module__.startswith(_KNOWN_LAYERS) for layer in layers):
        return False
    nodes = [node for layer in layers for node in keras_private.list_nodes(layer) or ()]
    return all(map(_keeps_rows_apart, nodes))


def _keeps_rows_apart(node: Any) -> bool:
    """Return whether a call in a functional model is that of a layer in inference, or of a harmless operation."""
    arguments, name = node.arguments, type(node.operation).__name__
    if isinstance(node.operation, keras.Layer):
        return not arguments.kwargs.get("training", False)
    if name == "GetItem":
        key = arguments.args[1] if len(arguments.args) > 1 else None
        return isinstance(key, tuple) and key[:1] == (slice(None),)
    return name in _ELEMENTWISE
