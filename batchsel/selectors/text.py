"""The text form of a selector: ``loss_ema(0.9) | warmup(1) | mix(uniform=0.1)``.

`repr` of a selector returns its text form.
"""

from __future__ import annotations

import inspect
from typing import Any

from batchsel.core import call_syntax
from batchsel.selectors.registry import REGISTRY


def parse(text: str) -> Any:
    """Build a selector from its text form.

    A part of the pipe may also be ``./mine.py:Mine`` or ``./mine.py:Mine(0.5)``, which runs that file.

    Returns:
        A selector, a part of a pipe, or a function from a file.

    Raises:
        UsageError: If the text cannot be parsed, or a name is unknown.

    Example:
        >>> parse("loss_ema | mix(0.2)")
        loss_ema(decay=0.9) | mix(uniform=0.2)
    """
    parts = [_part(call) for call in REGISTRY.parse_calls(text)]
    result = parts[0]
    for part in parts[1:]:
        result = result | part
    return result


def check(text: str) -> None:
    """Check the syntax and the names of a text form without importing any selector.

    Raises:
        UsageError: If the text cannot be parsed, or a name is unknown.

    Example:
        >>> check("loss_ema | warmpu(1)")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown selector 'warmpu'. Did you mean 'warmup'? There are ...
    """
    REGISTRY.check(text)


def _part(call: call_syntax.Call) -> Any:
    target = call.load(REGISTRY.load)
    if call.path is not None and call.bare and inspect.isfunction(target):
        from batchsel.selectors.function import Function

        return Function(target)
    if not callable(target):
        return target
    return call.apply(target)
