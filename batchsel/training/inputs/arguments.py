"""Checks of the arguments of a trainer, each refused in one sentence before anything is built."""

from __future__ import annotations

import math
import operator
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import keras
import numpy as np

from batchsel.core.target import Target
from batchsel.errors import UsageError, UserError, show

LARGEST = 2**31 - 1
"""Largest number of samples, rows and epochs."""


def whole_number(name: str, value: Any, lower: int = 1, upper: int | None = None) -> int:
    """Return an argument that must be a whole number, as a Python number.

    Args:
        name: Name of the argument.
        value: Its value.
        lower: Smallest value.
        upper: Largest value, or None.

    Raises:
        UsageError: If it is not one.

    Example:
        >>> whole_number("batch_size", np.int64(3))
        3
        >>> whole_number("batch_size", 0)
        Traceback (most recent call last):
        batchsel.errors.UsageError: batch_size must be a whole number of at least 1, got 0.
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = operator.index(value)
        if lower <= number and (upper is None or number <= upper):
            return number
    limits = f"of at least {lower}" if upper is None else f"from {lower} to {upper}"
    raise UsageError(f"{name} must be a whole number {limits}, got {show(value)}.")


def optional_number(name: str, value: Any) -> int | None:
    """Return an argument that must be a whole number of at least 1, or None.

    Args:
        name: Name of the argument.
        value: Its value.

    Raises:
        UsageError: If it is neither.
    """
    return None if value is None else whole_number(name, value, upper=LARGEST)


def epochs(name: str, value: Any) -> int | tuple[int, ...]:
    """Return an argument that is a number of epochs, or a list of the numbers of epochs.

    Args:
        name: Name of the argument.
        value: Its value.

    Raises:
        UsageError: If it is neither.

    Example:
        >>> epochs("validation_freq", 2), epochs("validation_freq", [1, 5])
        (2, (1, 5))
    """
    if isinstance(value, list | tuple | set | frozenset) and value:
        return tuple(whole_number(f"an epoch of {name}", epoch, upper=LARGEST) for epoch in value)
    if isinstance(value, Integral) and not isinstance(value, bool) and 0 < operator.index(value) <= LARGEST:
        return operator.index(value)
    raise UsageError(f"{name} must be a whole number of at least 1 or a list of epochs, got {show(value)}.")


def number(name: str, value: Any, lower: float, upper: float = math.inf, *, above: bool = False) -> float:
    """Return an argument that must be a finite number, as a Python number.

    Args:
        name: Name of the argument.
        value: Its value.
        lower: Smallest value.
        upper: It must be below this.
        above: Exclude `lower` itself.

    Raises:
        UsageError: If it is not one.

    Example:
        >>> number("seconds", 0, 0, above=True)
        Traceback (most recent call last):
        batchsel.errors.UsageError: seconds must be a number above 0, got 0.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            converted = float(value)
        except OverflowError:
            converted = math.inf
        if (lower < converted if above else lower <= converted) and converted < upper:
            return converted
    limits = f"{'above' if above else 'of at least'} {lower:g}" + (f" and below {upper:g}" if upper < math.inf else "")
    raise UsageError(f"{name} must be a number {limits}, got {show(value)}.")


def flag(name: str, value: Any) -> bool:
    """Return an argument that must be True or False.

    Args:
        name: Name of the argument.
        value: Its value.

    Raises:
        UsageError: If it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise UsageError(f"{name} must be True or False, got {show(value)}.")
    return bool(value)


def choice(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """Return an argument that must be one of the allowed values.

    Args:
        name: Name of the argument.
        value: Its value.
        allowed: The values, words or whole numbers.

    Raises:
        UsageError: If it is none of them.
    """
    if not isinstance(value, str | Integral) or value not in allowed:
        *first, last = map(repr, allowed)
        raise UsageError(f"{name} must be {', '.join(first)} or {last}, got {show(value)}.")
    return value


def path(name: str, value: Any, *, written: bool = False) -> Path:
    """Return an argument that must be the path of a file, which need not exist.

    Args:
        name: Name of the argument.
        value: Its value.
        written: Whether the file is written later, so that it must be possible now.

    Raises:
        UsageError: If it is not text or a path, or empty.
        UserError: If the file cannot be written.
    """
    try:
        text = os.fspath(value)
    except TypeError:
        text = None
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise UsageError(f"{name} must be the path of a file, got {show(value)}.")
    try:
        mode = os.stat(text).st_mode if written else 0
    except FileNotFoundError:
        mode = 0
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{name} cannot be the file {show(text)}: {reason}. Choose another path.") from error
    if stat.S_ISDIR(mode):
        raise UserError(f"{name} must be a file, and {show(text)} is a folder. Choose another path.")
    return Path(text)


def target(value: Any) -> Target | None:
    """Return the target of a call of fit.

    Args:
        value: A text, a `Target` or None.

    Raises:
        UsageError: If it is none of these, or the text cannot be read.
    """
    if isinstance(value, str):
        return Target.parse(value)
    if value is not None and not isinstance(value, Target):
        raise UsageError(f"target must be a text such as 'accuracy>=0.91', a Target or None, got {show(value)}.")
    return value


def callbacks(value: Any) -> tuple[keras.callbacks.Callback, ...]:
    """Return the callbacks of a call of fit.

    Args:
        value: A callback, a list of callbacks (also nested) or None.

    Raises:
        UsageError: If it is none of these.
    """
    found = [] if value is None else list(_leaves(value))
    for callback in found:
        if not isinstance(callback, keras.callbacks.Callback):
            hint = " Create it first, as in Name()." if isinstance(callback, type) else ""
            raise UsageError(f"callbacks must be Keras callbacks or a list of them, got {show(callback)}.{hint}")
    return tuple(found)


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple):
        for member in value:
            yield from _leaves(member)
    else:
        yield value


def class_weights(value: Any) -> dict[Any, float] | None:
    """Return weights by class id.

    Args:
        value: A dictionary of class ids and numbers of at least 0, or None.

    Raises:
        UsageError: If it is neither.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, Real) for key in value):
        raise UsageError(f"class_weight must be a dictionary such as {{0: 1.0, 1: 2.0}}, got {show(value)}.")
    return {key: number(f"class_weight of {show(key)}", weight, 0) for key, weight in value.items()}


def initial_weights(value: Any, expected: Sequence[Any]) -> list[Any] | None:
    """Return weights for a model.

    Args:
        value: A list of arrays, as `model.get_weights` returns them, or None.
        expected: The model's weights; empty if it is not built.

    Raises:
        UsageError: If it is neither, or the shapes are not those of the model.
    """
    if value is None:
        return None
    shapes = [tuple(weight.shape) for weight in expected]
    if not isinstance(value, list | tuple) or any(isinstance(weight, str) for weight in value):
        raise UsageError(f"weights must be a list of arrays, as model.get_weights() returns it, got {show(value)}.")
    if value and not shapes:
        raise UsageError("weights were given for a model that is not built: call model.build() first, or pass build=.")
    if [np.shape(weight) for weight in value] != shapes:
        raise UsageError(
            f"weights must have the shapes of the model's {len(shapes)} weights, as model.get_weights() returns them;"
            f" got {len(value)} arrays of other shapes."
        )
    return list(value)
