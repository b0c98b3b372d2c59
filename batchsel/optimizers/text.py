"""Optimizers by name, with their parameters: ``sgd(momentum=0.9, nesterov=True)``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchsel.core import call_syntax
from batchsel.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import keras

_CLASSES = {
    "adadelta": "keras.optimizers:Adadelta",
    "adagrad": "keras.optimizers:Adagrad",
    "adam": "keras.optimizers:Adam",
    "adamax": "keras.optimizers:Adamax",
    "adamw": "keras.optimizers:AdamW",
    "lamb": "batchsel.optimizers.lamb:LAMB",
    "lars": "batchsel.optimizers.lars:LARS",
    "lion": "keras.optimizers:Lion",
    "nadam": "keras.optimizers:Nadam",
    "rmsprop": "keras.optimizers:RMSprop",
    "sgd": "keras.optimizers:SGD",
}


def names() -> dict[str, str]:
    """Where each optimizer is, as ``module:class``, by name.

    Example:
        >>> names()["lars"]
        'batchsel.optimizers.lars:LARS'
    """
    return dict(_CLASSES)


def check(text: str) -> None:
    """Makes sure that an optimizer is known, without importing Keras.

    Args:
        text: A name, or a name with parameters of its class. `clipvalue` may stand beside `clipnorm` or
            `global_clipnorm`: gradients are then clamped value by value before their norm is clipped.

    Raises:
        UsageError: If the text cannot be read or the name is unknown.

    Example:
        >>> check("adma")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown optimizer 'adma'. Did you mean ...
    """
    call = call_syntax.parse_call(text)
    if call.name not in _CLASSES:
        raise unknown_name("optimizer", call.name, _CLASSES)
    if call.arguments or "learning_rate" in call.keywords:
        raise UsageError(f"optimizer {text!r}: give its parameters by name, and the rate by --learning-rate.")
    if _given(call.keywords, "clipnorm") and _given(call.keywords, "global_clipnorm"):
        raise UsageError(
            f"optimizer {text!r}: clipnorm clips the gradient of each variable by its norm, global_clipnorm those of"
            " all together; give one of the two. clipvalue may stand beside it and comes first."
        )


def build(text: str, learning_rate: float) -> keras.optimizers.Optimizer:
    """The optimizer that a text describes.

    Args:
        text: As for `check`.
        learning_rate: Its learning rate.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> build("sgd(momentum=0.9)", 0.1).momentum
        0.9
    """
    check(text)
    call = call_syntax.parse_call(text)
    keywords = {**call.keywords, "learning_rate": learning_rate}
    for name, value in call.keywords.items():
        if isinstance(value, str):
            raise UsageError(f"optimizer {text!r}: {name} cannot be a text, got {value!r}.")
    try:
        return call_syntax.Call(text, call.name, (), keywords).apply(_class(call))
    except (TypeError, ValueError) as error:
        raise UsageError(f"cannot make the optimizer {text!r}: {error}") from error


def _class(call: call_syntax.Call) -> Any:
    module, name = _CLASSES[call.name].split(":")
    found = getattr(importlib.import_module(module), name)
    if _given(call.keywords, "clipvalue") and (
        _given(call.keywords, "clipnorm") or _given(call.keywords, "global_clipnorm")
    ):
        from batchsel.optimizers.value_clipping import clamping

        return clamping(found)
    return found


def _given(keywords: Mapping[str, Any], name: str) -> bool:
    return keywords.get(name) is not None
