"""The text form of a selector: ``loss_ema(0.9) | warmup(1) | mix(uniform=0.1)``.

`repr` of a selector returns its text form.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from batchsel.core import call_syntax
from batchsel.errors import UsageError, show, unknown_name
from batchsel.selectors.registry import REGISTRY


def parse(text: str) -> Any:
    """Build a selector from its text form.

    A part of the pipe may also be ``./mine.py:Mine`` or ``./mine.py:Mine(0.5)``, which runs that file; or a function
    that chooses samples, ``./mine.py:hardest``, with its options and the interval of its plans:
    ``./mine.py:hardest(power=2, every=4)``.

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
        if not hasattr(result, "list_parts") or not hasattr(part, "list_parts"):
            wrong = part if hasattr(result, "list_parts") else result
            raise UsageError(f"{show(text)}: {show(wrong)} is no part of a pipe, which is score | modifiers | draw.")
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
    from batchsel.selectors.function import Function, takes_losses

    target = call.load(REGISTRY.load)
    if takes_losses(target):
        return Function(target) if call.bare else _with_options(call, target)
    if not callable(target) or (call.bare and not inspect.isclass(target) and not inspect.isroutine(target)):
        return target
    return call.apply(target)


def _with_options(call: call_syntax.Call, function: Any) -> Any:
    """Return a selector from a function and its options, as in ``./mine.py:hardest(power=2, every=4)``."""
    from batchsel.selectors.function import CONTEXT_NAMES, SIGNAL_NAMES, Function

    filled = ("every", *CONTEXT_NAMES, *SIGNAL_NAMES)
    options = [
        name
        for name, each in inspect.signature(function).parameters.items()
        if each.default is not each.empty and name not in filled
    ]
    if call.arguments:
        raise UsageError(
            f"cannot build {show(call.text)}: give options of a function by name, of {', '.join([*options, 'every'])}."
        )
    given = {name: value for name, value in call.keywords.items() if name != "every"}
    for name in given:
        if name not in options:
            raise unknown_name(f"option of {call.name}", name, [*options, "every"])
    interval = {"every": call.keywords["every"]} if "every" in call.keywords else {}
    return Function(functools.partial(function, **given) if given else function, **interval)
