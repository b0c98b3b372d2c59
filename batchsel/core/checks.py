"""Checks of parameters of selectors, schedules, transforms and optimizers, with uniform messages."""

from __future__ import annotations

from typing import Any

from batchsel.errors import UsageError


def check_range(
    part: Any, field: str, lower: float, upper: float, *, lower_open: bool = False, upper_open: bool = False
) -> None:
    """Check that a parameter is a number in a range.

    Args:
        part: The object, with a `name` for the message.
        field: Name of the parameter.
        lower: Lower end.
        upper: Upper end.
        lower_open: Exclude the lower end.
        upper_open: Exclude the upper end.

    Raises:
        UsageError: If it is not; the message gives the parameter, its value and the range.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.LossEMA(2.0)
        Traceback (most recent call last):
        batchsel.errors.UsageError: loss_ema: decay must be a number in [0, 1), got 2.0.
    """
    value = getattr(part, field)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    above = number and (value > lower if lower_open else value >= lower)
    below = number and (value < upper if upper_open else value <= upper)
    if not (above and below):
        interval = f"{'(' if lower_open else '['}{lower:g}, {upper:g}{')' if upper_open else ']'}"
        raise UsageError(f"{part.name}: {field} must be a number in {interval}, got {value!r}.")


def check_integer(part: Any, field: str, lower: int) -> None:
    """Check that a parameter is an integer of at least `lower`.

    Args:
        part: The object, with a `name` for the message.
        field: Name of the parameter.
        lower: Smallest value.

    Raises:
        UsageError: If it is not; the message gives the parameter and its value.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.Candidates(pool=0)
        Traceback (most recent call last):
        batchsel.errors.UsageError: candidates: pool must be a whole number of at least 1, got 0.
    """
    value = getattr(part, field)
    if not isinstance(value, int) or isinstance(value, bool) or value < lower:
        raise UsageError(f"{part.name}: {field} must be a whole number of at least {lower}, got {value!r}.")


def check_choice(part: Any, field: str, allowed: tuple[str, ...]) -> None:
    """Check that a parameter is one of the allowed words.

    Args:
        part: The object, with a `name` for the message.
        field: Name of the parameter.
        allowed: The words.

    Raises:
        UsageError: If it is not; the message gives the parameter, its value and the words.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.Anneal(to="nowhere")
        Traceback (most recent call last):
        batchsel.errors.UsageError: anneal: to must be one of 'uniform', got 'nowhere'.
    """
    check_choice_value(part.name, field, getattr(part, field), allowed)


def check_choice_value(name: str, field: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Check that an argument of a function is one of the allowed words.

    Args:
        name: Name of the selector that the function builds.
        field: Name of the argument.
        value: Its value.
        allowed: The words.

    Raises:
        UsageError: If it is not; the message gives the argument, its value and the words.

    Example:
        >>> check_choice_value("prioritised", "by", "age", ("loss", "rank"))
        Traceback (most recent call last):
        batchsel.errors.UsageError: prioritised: by must be one of 'loss', 'rank', got 'age'.
    """
    if value not in allowed:
        words = ", ".join(repr(word) for word in allowed)
        raise UsageError(f"{name}: {field} must be one of {words}, got {value!r}.")
