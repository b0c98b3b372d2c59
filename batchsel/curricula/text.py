"""The text form of curricula: ``blur(sigma=1.0, until=0.2) | resolution(0.5)``.

`repr` of curricula prints it back.
"""

from __future__ import annotations

from typing import Any

from batchsel import calls
from batchsel.curricula import registry

_EXAMPLE = "Curricula are names with | between them, as in 'blur(sigma=1.0, until=0.2) | resolution(0.5)'."


def parse(text: str) -> list[Any]:
    """What a text names, in its order.

    A part may also be ``./mine.py:dawn``, a curriculum, or ``./mine.py:Dawn(0.5)``, which is called: that file is run.

    Args:
        text: The text form.

    Returns:
        Curricula.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> parse("resolution(0.25)")
        [resolution(start=0.25, delay=0.5, finish=0.8, multiple=4, method='bilinear')]
    """
    return [call.make(registry.load) for call in calls.read_pipe(text, _EXAMPLE)]


def check(text: str) -> None:
    """Reads a text and looks up its names, without importing any curriculum.

    Args:
        text: The text form.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> check("blurr(1.0)")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown curriculum 'blurr'. Did you mean 'blur'? Known: ...
    """
    for call in calls.read_pipe(text, _EXAMPLE):
        if call.path is None:
            registry.check(call.name)
