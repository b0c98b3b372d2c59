"""The text form of schedules: ``cosine``, or a product such as ``cosine | warmup(0.05)``.

`repr` of a schedule prints it back.
"""

from __future__ import annotations

from typing import Any

from batchsel import calls
from batchsel.schedules import registry

_STATING = {"one_cycle": ("peak", 0), "scale": ("rate", 2)}
"""Of the schedules that may state a learning rate, the parameter that does and its place."""
_EXAMPLE = "Schedules are names with | between them, as in 'cosine | warmup(0.05)'."


def parse(text: str) -> list[Any]:
    """What a text names, in its order.

    A part may also be ``./mine.py:rate``, a function of progress or a schedule, or ``./mine.py:Mine(0.5)``, which is
    called: that file is run.

    Args:
        text: The text form.

    Returns:
        Schedules and functions.

    Raises:
        UsageError: If the text cannot be read, names what does not exist, or has impossible parameters.

    Example:
        >>> parse("cosine | warmup(0.05)")
        [cosine(end=0.0), warmup(share=0.05, start=0.0, form='linear')]
    """
    return [call.make(registry.load) for call in calls.read_pipe(text, _EXAMPLE)]


def check(text: str) -> None:
    """Reads a text and looks up its names, without importing TensorFlow. Parameters are checked by building it.

    Args:
        text: The text form.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> check("cosin | warmup(0.05)")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown schedule 'cosin'. Did you mean 'cosine'? Known: ...
    """
    for call in calls.read_pipe(text, _EXAMPLE):
        if call.path is None:
            registry.check(call.name)


def stated_rate(text: str) -> float | None:
    """The learning rate that a text states for its factor 1, without importing TensorFlow; None if it states none.

    Args:
        text: The text form.

    Raises:
        UsageError: If the text cannot be read.

    Example:
        >>> stated_rate("one_cycle(peak=0.05) | warmup(0.1)"), stated_rate("cosine")
        (0.05, None)
    """
    for call in calls.read_pipe(text, _EXAMPLE):
        name, place = _STATING.get(call.name, ("", 0)) if call.path is None else ("", 0)
        given = call.keywords.get(name, call.arguments[place] if name and len(call.arguments) > place else None)
        if isinstance(given, int | float):
            return float(given)
    return None


def is_constant(text: str) -> bool:
    """Whether a text leaves the learning rate as it is throughout, without importing TensorFlow.

    Args:
        text: The text form.

    Raises:
        UsageError: If the text cannot be read.

    Example:
        >>> is_constant("constant()"), is_constant("constant | warmup(0.1)")
        (True, False)
    """
    return all(call.path is None and call.name == "constant" for call in calls.read_pipe(text, _EXAMPLE))
