"""Optimisers by name, with their parameters: ``sgd(momentum=0.9, nesterov=True)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchsel import calls
from batchsel.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import keras

_CLASSES = {
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamax": "Adamax",
    "adamw": "AdamW",
    "lamb": "Lamb",
    "lion": "Lion",
    "nadam": "Nadam",
    "rmsprop": "RMSprop",
    "sgd": "SGD",
}


def check(text: str) -> None:
    """Makes sure that an optimiser is known, without importing Keras.

    Args:
        text: A name, or a name with parameters of the Keras class.

    Raises:
        UsageError: If the text cannot be read or the name is unknown.

    Example:
        >>> check("adma")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown optimizer 'adma'. Did you mean ...
    """
    call = calls.read(text)
    if call.name not in _CLASSES:
        raise unknown_name("optimizer", call.name, _CLASSES)
    if call.arguments or "learning_rate" in call.keywords:
        raise UsageError(f"optimizer {text!r}: give its parameters by name, and the rate by --learning-rate.")


def build(text: str, learning_rate: float) -> keras.optimizers.Optimizer:
    """The optimiser that a text describes.

    Args:
        text: As for `check`.
        learning_rate: Its learning rate.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> build("sgd(momentum=0.9)", 0.1).momentum
        0.9
    """
    import keras

    check(text)
    call = calls.read(text)
    keywords = {**call.keywords, "learning_rate": learning_rate}
    for name, value in call.keywords.items():
        if isinstance(value, str):
            raise UsageError(f"optimizer {text!r}: {name} cannot be a text, got {value!r}.")
    try:
        return calls.Call(text, call.name, (), keywords).apply(getattr(keras.optimizers, _CLASSES[call.name]))
    except (TypeError, ValueError) as error:
        raise UsageError(f"cannot make the optimizer {text!r}: {error}") from error
