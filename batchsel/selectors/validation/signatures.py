"""Check number and order of the parameters of the methods that a user's class defines."""

from __future__ import annotations

import inspect
from typing import Any

from batchsel.errors import UsageError
from batchsel.selectors.base import Part, positional_parameters
from batchsel.selectors.validation.explanation import title
from batchsel.selectors.validation.protocol import SIGNATURES, parameters_of, protocol_class, user_classes

_NAMES = {name for method in SIGNATURES for name in parameters_of(method)}


def check_signatures(part: Part) -> None:
    """Check the parameters of the methods that a user's class defines.

    They may have any names, but not that of another place, by which two are swapped.

    Args:
        part: The selector or part.

    Raises:
        UsageError: Naming the method, its parameters and the expected ones.
    """
    own = {name for kind in user_classes(type(part)) for name in vars(kind)}
    for method in SIGNATURES:
        if method not in own or not hasattr(protocol_class(type(part)), method):
            continue
        found = getattr(part, method)
        if not callable(found):
            raise UsageError(f"{type(part).__name__}.{method} is not a method. Define it as {SIGNATURES[method]}.")
        try:
            places = positional_parameters(found)
        except (TypeError, ValueError):  # callables in C do not state theirs
            continue
        if not _fits(found, places, method):
            shown = ", ".join(str(each.replace(annotation=each.empty)) for each in _parameters(found))
            raise UsageError(f"{title(part, method)} takes ({shown}). Define it as {SIGNATURES[method]}.")


def _fits(function: Any, places: list[inspect.Parameter], method: str) -> bool:
    expected = parameters_of(method)
    if method == "init" and len(places) < 2:
        expected = expected[:1]
    try:
        inspect.signature(function).bind(*expected)
    except TypeError:
        return False
    if method == "init" and len(places) > 1 and places[1].default is not places[1].empty:
        return places[1].name == "shapes"  # any other would receive the shapes all the same
    return not any(each.name != name and each.name in _NAMES for each, name in zip(places, expected, strict=False))


def _parameters(function: Any) -> list[inspect.Parameter]:
    """Return the parameters of a method as they are written, with the first, unless there is none."""
    plain = getattr(function, "__func__", function)
    return list(inspect.signature(plain).parameters.values())
