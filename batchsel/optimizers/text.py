"""Optimizers by name, with their parameters: ``sgd(momentum=0.9, nesterov=True)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchsel.core import call_syntax
from batchsel.core.registry import Registry
from batchsel.errors import UsageError

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
    REGISTRY.find(call.name)
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
    found = REGISTRY.load(call.name)
    if _given(call.keywords, "clipvalue") and (
        _given(call.keywords, "clipnorm") or _given(call.keywords, "global_clipnorm")
    ):
        from batchsel.optimizers.value_clipping import clamping

        return clamping(found)
    return found


def _given(keywords: Mapping[str, Any], name: str) -> bool:
    return keywords.get(name) is not None
