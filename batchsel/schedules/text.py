"""What the text of a schedule says without building it, and so without importing TensorFlow."""

from __future__ import annotations

from batchsel.schedules.registry import REGISTRY

_STATING = {"one_cycle": ("peak", 0), "scale": ("rate", 2)}
"""Of the schedules that may state a learning rate, the parameter that does and its place."""


def check(text: str) -> None:
    """Reads a text and looks up its names. Parameters are checked by building it.

    Args:
        text: The text form.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> check("cosin | warmup(0.05)")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown schedule 'cosin'. Did you mean 'cosine'? Known: ...
    """
    REGISTRY.check(text)


def base_learning_rate(text: str) -> float | None:
    """The learning rate that a text states for its factor 1; None if it states none.

    Args:
        text: The text form.

    Raises:
        UsageError: If the text cannot be read.

    Example:
        >>> base_learning_rate("one_cycle(peak=0.05) | warmup(0.1)"), base_learning_rate("cosine")
        (0.05, None)
    """
    for call in REGISTRY.parse_calls(text):
        name, place = _STATING.get(call.name, ("", 0)) if call.path is None else ("", 0)
        given = call.keywords.get(name, call.arguments[place] if name and len(call.arguments) > place else None)
        if isinstance(given, int | float):
            return float(given)
    return None


def is_constant(text: str) -> bool:
    """Whether a text leaves the learning rate as it is throughout.

    Args:
        text: The text form.

    Raises:
        UsageError: If the text cannot be read.

    Example:
        >>> is_constant("constant()"), is_constant("constant | warmup(0.1)")
        (True, False)
    """
    return all(call.path is None and call.name == "constant" for call in REGISTRY.parse_calls(text))
