"""The text form of a selector: ``loss_ema(0.9) | warmup(1) | mix(uniform=0.1)``.

`repr` of a selector returns its text form.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import Any

from batchsel.core import call_syntax
from batchsel.errors import UsageError, shorten, show, unknown_name
from batchsel.selectors.registry import REGISTRY


def parse(text: str) -> Any:
    """Build a selector from its text form.

    A part of the pipe may also be ``./mine.py:Mine`` or ``./mine.py:Mine(0.5)``, which runs that file; or a function
    that chooses samples, ``./mine.py:hardest``, with its options and the interval of its plans:
    ``./mine.py:hardest(power=2, every=4)``. A file with one selector needs no name: ``./mine.py``.

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
            check_base(wrong)
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


def with_name(call: call_syntax.Call) -> call_syntax.Call:
    """Return a call with the name of the only selector of its file, if it names a file alone.

    Args:
        call: A part of a text form.

    Raises:
        UsageError: If the file has no selector, or several.
    """
    if call.path is None or call.name:
        return call
    from batchsel.selectors.base import Part

    module = call_syntax.run_file(call.path)
    own = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and (isinstance(value, Part) or getattr(value, "__module__", "") == module.__name__)
    }
    found = [
        name
        for name, value in own.items()
        if (issubclass(value, Part) if inspect.isclass(value) else _chooses(value) or isinstance(value, Part))
    ]
    if len(found) == 1:
        return dataclasses.replace(call, name=found[0])
    if found:
        raise UsageError(
            f"{call.path} has several selectors: {shorten(', '.join(found), 120)}. Name one:"
            f" {call.text.strip()}:{found[0]}."
        )
    for value in own.values():
        check_base(value)
    raise UsageError(
        f"{call.path} has no selector: neither a class derived from batchsel.selectors.Selector nor a function"
        " (losses, batch_size, rng)."
    )


def _chooses(function: Any) -> bool:
    """Return whether a function looks like one that chooses samples, and not like a helper of one."""
    from batchsel.selectors.function import takes_losses

    return takes_losses(function) and not {"losses", "rng"}.isdisjoint(inspect.signature(function).parameters)


_BASES = {"plan": "Selector", "score": "Score", "modify": "Modifier", "draw": "Draw"}
"""Classes to derive from, by the method that shows it."""


def check_base(value: Any) -> None:
    """Check that something is not a selector that lacks its base class.

    Args:
        value: A class, or an object.

    Raises:
        UsageError: If it has the method of one, naming the base class.
    """
    from batchsel.selectors.base import Part

    kind = value if inspect.isclass(value) else type(value)
    method = next((name for name in _BASES if callable(getattr(kind, name, None))), None)
    if method is not None and not issubclass(kind, Part):
        raise UsageError(
            f"{kind.__name__} has a method {method} and is no selector: derive it, class {kind.__name__}"
            f"(batchsel.selectors.{_BASES[method]})."
        )


def _part(call: call_syntax.Call) -> Any:
    from batchsel.selectors.function import Function, takes_losses

    call = with_name(call)
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
