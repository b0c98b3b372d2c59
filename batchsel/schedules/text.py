"""Checks of the text form of schedules that import no TensorFlow."""

from __future__ import annotations

from batchsel.core.parameters import LARGEST, is_number
from batchsel.schedules.registry import REGISTRY

_RATE_PARAMETERS = {"one_cycle": ("peak", 0), "scale": ("rate", 2)}
"""Name and position of the parameter that sets the learning rate, by schedule."""


def check(text: str) -> None:
    """Check that a text can be read and its names exist; building the schedule checks its parameters.

    Raises:
        UsageError: If the text cannot be read, or a name is unknown.

    Example:
        >>> check("cosin | warmup(0.05)")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown schedule 'cosin'. Did you mean 'cosine'? Known: ...
    """
    REGISTRY.check(text)


def base_learning_rate(text: str) -> float | None:
    """Return the learning rate that a text sets for a factor of 1; None if it sets none.

    Raises:
        UsageError: If the text cannot be read.

    Example:
        >>> base_learning_rate("one_cycle(peak=0.05) | warmup(0.1)"), base_learning_rate("cosine")
        (0.05, None)
    """
    for call in REGISTRY.parse_calls(text):
        name, place = _RATE_PARAMETERS.get(call.name, ("", 0)) if call.path is None else ("", 0)
        given = call.keywords.get(name, call.arguments[place] if name and len(call.arguments) > place else None)
        # What is larger, or no number, is refused when the text is checked.
        if given is not None and is_number(given) and abs(given) <= LARGEST:
            return float(given)
    return None


def is_constant(text: str) -> bool:
    """Return True if a schedule never changes the learning rate.

    Raises:
        UsageError: If the text cannot be read.

    Example:
        >>> is_constant("constant()"), is_constant("constant | warmup(0.1)")
        (True, False)
    """
    return all(call.path is None and call.name == "constant" for call in REGISTRY.parse_calls(text))
