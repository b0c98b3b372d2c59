"""The text form of augmentations: ``crop(4) | flip | erasing(0.25)``.

`repr` of a pipeline prints it back.
"""

from __future__ import annotations

from typing import Any

from batchsel import calls
from batchsel.augmentation import registry

_EXAMPLE = "Augmentations are names with | between them, as in 'crop(4) | flip | erasing(0.25)'."


def parse(text: str) -> list[Any]:
    """What a text names, in its order.

    A part may also be ``./mine.py:augment``, a function on the batch or an augmentation, or ``./mine.py:Mine(0.5)``,
    which is called: that file is run.

    Args:
        text: The text form.

    Returns:
        Augmentations, layers and functions.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> parse("crop(4) | flip")
        [crop(padding=4, fill='zero'), flip(chance=0.5, direction='horizontal')]
    """
    return [call.make(registry.load) for call in calls.read_pipe(text, _EXAMPLE)]


def check(text: str) -> None:
    """Reads a text and looks up its names, without importing any augmentation.

    Args:
        text: The text form.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> check("crop(4) | filp")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown augmentation 'filp'. Did you mean 'flip'? Known: ...
    """
    for call in calls.read_pipe(text, _EXAMPLE):
        if call.path is None:
            registry.check(call.name)
