"""Checks of the parameters of selectors, augmentations and optimizers, with one wording."""

from __future__ import annotations

from typing import Any

from batchsel.errors import UsageError


def check_range(
    part: Any, field: str, lower: float, upper: float, *, lower_open: bool = False, upper_open: bool = False
) -> None:
    """Checks that a number of a selector or an augmentation lies in its range.

    Args:
        part: The selector or augmentation, or part of one.
        field: Name of the parameter.
        lower: Least value.
        upper: Greatest value.
        lower_open: Whether the least value itself is outside.
        upper_open: Whether the greatest value itself is outside.

    Raises:
        UsageError: Naming the parameter, its value and the range.

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


def check_choice(part: Any, field: str, allowed: tuple[str, ...]) -> None:
    """Checks that a word of a selector or an augmentation is one of those it knows.

    Args:
        part: The selector or augmentation, or part of one.
        field: Name of the parameter.
        allowed: The words.

    Raises:
        UsageError: Naming the parameter, its value and the words.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.Anneal(to="nowhere")
        Traceback (most recent call last):
        batchsel.errors.UsageError: anneal: to must be one of 'uniform', got 'nowhere'.
    """
    check_choice_value(part.name, field, getattr(part, field), allowed)


def check_choice_value(name: str, field: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Checks that a word is one of those that a selector, or a function that composes one, knows.

    Args:
        name: Name of the selector.
        field: Name of the parameter.
        value: The word.
        allowed: The words.

    Raises:
        UsageError: Naming the parameter, its value and the words.

    Example:
        >>> check_choice_value("prioritised", "by", "age", ("loss", "rank"))
        Traceback (most recent call last):
        batchsel.errors.UsageError: prioritised: by must be one of 'loss', 'rank', got 'age'.
    """
    if value not in allowed:
        words = ", ".join(repr(word) for word in allowed)
        raise UsageError(f"{name}: {field} must be one of {words}, got {value!r}.")


def check_integer(part: Any, field: str, lower: int) -> None:
    """Checks that a parameter is a whole number of at least `lower`.

    Args:
        part: The selector or augmentation, or part of one.
        field: Name of the parameter.
        lower: Least value.

    Raises:
        UsageError: Naming the parameter and its value.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.Candidates(pool=0)
        Traceback (most recent call last):
        batchsel.errors.UsageError: candidates: pool must be a whole number of at least 1, got 0.
    """
    value = getattr(part, field)
    if not isinstance(value, int) or isinstance(value, bool) or value < lower:
        raise UsageError(f"{part.name}: {field} must be a whole number of at least {lower}, got {value!r}.")
