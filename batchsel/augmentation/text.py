"""The text form of augmentations: ``crop(4) | flip | erasing(0.25)``.

`repr` of a pipeline prints it back.
"""

from __future__ import annotations

import inspect
from typing import Any

from batchsel import calls
from batchsel.augmentation import registry
from batchsel.errors import UsageError


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
    return [_part(_read(piece, text)) for piece in calls.pieces(text)]


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
    for piece in calls.pieces(text):
        call = _read(piece, text)
        if call.path is None:
            registry.check(call.name)


def _part(call: calls.Call) -> Any:
    if call.path is None:
        return call.apply(registry.load(call.name))
    target = call.load()
    return target if call.bare and not inspect.isclass(target) else call.apply(target)


def _read(piece: str, text: str) -> calls.Call:
    try:
        return calls.read(piece)
    except UsageError as error:
        whole = "" if piece.strip() == text.strip() else f" in {text!r}"
        example = "Augmentations are names with | between them, as in 'crop(4) | flip | erasing(0.25)'."
        raise UsageError(f"{error}{whole} {example}") from None
