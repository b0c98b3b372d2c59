"""Optimizers by name, with their parameters: ``sgd(momentum=0.9, nesterov=True)``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from batchsel.core import call_syntax
from batchsel.core.parameters.conversion import converted
from batchsel.core.registry import Registry
from batchsel.errors import UsageError
from batchsel.optimizers.parameters import HINTS, signature

if TYPE_CHECKING:
    import keras

_KERAS = ("Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "Lion", "Nadam", "RMSprop", "SGD")
_OWN = {"lamb": "batchsel.optimizers.lamb:LAMB", "lars": "batchsel.optimizers.lars:LARS"}
REGISTRY = Registry("optimizer", built_in=_OWN | {name.lower(): f"keras.optimizers:{name}" for name in _KERAS})


def names() -> list[str]:
    """Return the names of all optimizers.

    Example:
        >>> "lars" in names()
        True
    """
    return sorted(REGISTRY.entries())


def check(text: str) -> None:
    """Check that an optimizer is known and its parameters are allowed, without importing Keras.

    Args:
        text: A name, or a name with parameters of its class. `clipvalue` may be combined with `clipnorm` or
            `global_clipnorm`: gradients are then clipped by value before they are clipped by norm.

    Raises:
        UsageError: If the text cannot be read, the name is unknown, or a parameter is not allowed.

    Example:
        >>> check("adma")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown optimizer 'adma'. Did you mean ...
    """
    call = call_syntax.parse_call(text)
    REGISTRY.find(call.name)
    if call.arguments or "learning_rate" in call.keywords:
        raise UsageError(f"optimizer {text!r}: give its parameters by name, and the learning rate by --learning-rate.")
    call.check_arguments(signature(call.name))
    if _is_set(call, "clipnorm") and _is_set(call, "global_clipnorm"):
        raise UsageError(
            f"optimizer {text!r}: clipnorm clips the gradient of each variable by its norm, global_clipnorm those of"
            " all variables together; give one of the two. clipvalue may be combined with it and is applied first."
        )


def build(text: str, learning_rate: float) -> keras.optimizers.Optimizer:
    """Build the optimizer that a text describes.

    Args:
        text: As for `check`.
        learning_rate: The learning rate.

    Raises:
        UsageError: If the text cannot be read, or a name or parameter is unknown.

    Example:
        >>> build("sgd(momentum=0.9)", 0.1).momentum
        0.9
    """
    check(text)
    call = call_syntax.parse_call(text)
    keywords = {name: converted(HINTS.get(name, Any), value) for name, value in call.keywords.items()}
    keywords["learning_rate"] = float(learning_rate)
    try:
        return dataclasses.replace(call, keywords=keywords).apply(_load_class(call))
    except (TypeError, ValueError) as error:
        raise UsageError(f"cannot build the optimizer {text!r}: {error}") from error


def _load_class(call: call_syntax.Call) -> Any:
    loaded = REGISTRY.load(call.name)
    if _is_set(call, "clipvalue") and (_is_set(call, "clipnorm") or _is_set(call, "global_clipnorm")):
        from batchsel.optimizers.value_clipping import with_value_clipping

        return with_value_clipping(loaded)
    return loaded


def _is_set(call: call_syntax.Call, parameter: str) -> bool:
    return call.keywords.get(parameter) is not None
