"""The text form of a schedule: ``cosine``, or a product such as ``cosine | warmup(0.05)``."""

from __future__ import annotations

import importlib
from typing import Any

from batchsel import calls
from batchsel.errors import UsageError, unknown_name

_FUNCTIONS = {"constant": "learning_rate", "linear": "learning_rate", "cosine": "learning_rate"}
"""Modules of those that have no parameters, and are functions of progress themselves."""
_CLASSES = {"lerac": ("lerac", "LeRaC"), "warmup": ("warmup", "Warmup")}
NAMES = (*_FUNCTIONS, *_CLASSES)


def check(text: str) -> None:
    """Reads a text and looks up its names, without importing TensorFlow.

    Args:
        text: Names with parameters, with bars between them.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> check("cosin")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown schedule 'cosin'. Did you mean 'cosine'? ...
    """
    _calls(text)


def parse(text: str) -> Any:
    """The schedule that a text describes: the product of its pieces.

    Args:
        text: As for `check`.

    Returns:
        A function of progress, ``float32[]`` in [0, 1], that gives the factor of the learning rate.

    Raises:
        UsageError: If the text cannot be read, names what does not exist, or has impossible parameters.

    Example:
        >>> import tensorflow as tf
        >>> float(parse("linear | warmup(0.5)")(tf.constant(0.25)))
        0.375
    """
    factors = [_factor(call) for call in _calls(text)]
    if len(factors) == 1:
        return factors[0]

    def product(progress: Any) -> Any:
        total = factors[0](progress)
        for factor in factors[1:]:
            total *= factor(progress)
        return total

    return product


def _calls(text: str) -> list[calls.Call]:
    found = [calls.read(piece) for piece in calls.pieces(text)]
    for call in found:
        if call.path is not None or call.name not in NAMES:
            raise unknown_name("schedule", call.name, NAMES)
        if call.name in _FUNCTIONS and not call.bare:
            raise UsageError(f"schedule {call.name!r} has no parameters, got {call.text.strip()!r}.")
    return found


def _factor(call: calls.Call) -> Any:
    if call.name in _FUNCTIONS:
        return getattr(importlib.import_module(f"batchsel.schedules.{_FUNCTIONS[call.name]}"), call.name)
    module, name = _CLASSES[call.name]
    return call.apply(getattr(importlib.import_module(f"batchsel.schedules.{module}"), name))
