"""Copies of a model, or narrower ones, with an optimizer of the same settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from batchsel.core import keras_private
from batchsel.errors import UserError, shorten
from batchsel.training import variables

_SIZES = {"units", "filters", "output_dim"}
"""Parameters of Keras layers that set their width."""


def copy_model(model: keras.Model, width: float, remedy: str, make_optimizer: Callable[[Any], Any]) -> Any:
    """Return a copy of a model with separate weights, compiled with the same loss and optimizer settings.

    Args:
        model: A built, compiled model.
        width: Factor of the units and filters of its layers, in (0, 1].
        remedy: End of the message about a model that cannot be copied.
        make_optimizer: Returns another optimizer with the settings of one.

    Raises:
        UserError: If Keras cannot copy the model, or a narrower one has outputs of another shape.
    """
    kind = "second" if width == 1 else "narrower"
    refusal = f"cannot copy {type(model).__name__} to train a {kind} one"
    if width < 1 and not getattr(model, "outputs", None):
        raise UserError(f"{refusal}: it is neither Sequential nor functional. {remedy}.")
    try:
        copy = variables.clone(model, clone_function=None if width == 1 else _narrowing_clone_function(model, width))
        optimizer = make_optimizer(model.optimizer)
        copy.compile(optimizer, model.loss, loss_weights=keras_private.get_loss_weights(model), metrics=None)
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        reason = shorten(" ".join(str(error).split()), 200).rstrip(".")
        raise UserError(f"{refusal}: {reason}. {remedy}.") from error
    if copy.output_shape != model.output_shape:
        raise UserError(
            f"a narrower {type(model).__name__} has outputs of the shape {copy.output_shape} in place of"
            f" {model.output_shape}. {remedy}, or choose width=1.0."
        )
    _keep_learned_weights(model, copy)
    return copy


def copy_optimizer(optimizer: Any) -> Any:
    """Return another optimizer with the same settings.

    Args:
        optimizer: Any optimizer.
    """
    return type(optimizer).from_config(optimizer.get_config())


def _narrowing_clone_function(model: keras.Model, width: float) -> Callable[[keras.Layer], keras.Layer]:
    """Return a function that copies layers with fewer units or filters.

    The last layer that has any keeps them, and so do outputs.
    """
    sized = [layer for layer in model.layers if _SIZES & set(layer.get_config())]
    ends = {id(output) for output in model.outputs}
    unchanged = {id(layer) for layer in (*sized[-1:], *(layer for layer in sized if id(layer.output) in ends))}

    def copy_narrower(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if id(layer) not in unchanged:
            config |= {size: max(1, round(config[size] * width)) for size in _SIZES & set(config)}
        return type(layer).from_config(config)

    return copy_narrower


def _keep_learned_weights(model: keras.Model, copy: keras.Model) -> None:
    """Copy the weights of layers that are not trained, such as those of an adapted `Normalization`, where they fit."""
    for layer, own in zip(model.layers, copy.layers, strict=True):
        shapes = [[tuple(weight.shape) for weight in each.weights] for each in (layer, own)]
        if layer.weights and not layer.trainable_weights and shapes[0] == shapes[1]:
            own.set_weights(layer.get_weights())
            if isinstance(own, keras.layers.Normalization):
                own.finalize_state()
