"""Find methods and attributes of a user's class that nothing calls, because their names are misspelled."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
from collections.abc import Mapping
from typing import Any

from batchsel.errors import UsageError
from batchsel.selectors.base import Part
from batchsel.selectors.validation.code_names import methods_within_methods, names_in, plain_function, takes_self
from batchsel.selectors.validation.protocol import SIGNATURES, protocol_class, user_classes

_NEAR = 0.75
"""Least similarity of a misspelled name, of 1: two letters of four that are swapped have it."""


def check_spelling(part: Part) -> None:
    """Check that no method or attribute of a user's class has nearly the name of one that batchsel reads.

    A name that the class itself uses is its own affair, and so is one near a method that it defines as well.

    Args:
        part: The selector or part.

    Raises:
        UsageError: Naming both.
    """
    kinds = user_classes(type(part))
    base = protocol_class(type(part))
    known = [name for name in dir(base) if not name.startswith("_")]
    used = set(names_in(value for kind in kinds for value in vars(kind).values()))
    fields = {field.name for field in dataclasses.fields(part)} if dataclasses.is_dataclass(part) else set()
    defined: set[str] = set()
    for kind in kinds:  # itself first
        defined.update(vars(kind))
        for name, value in vars(kind).items():
            if name.startswith("_") or name in known or name in used or name in fields:
                continue
            near = [
                other for other in difflib.get_close_matches(name, known, n=1, cutoff=_NEAR) if other not in defined
            ]
            if near and callable(value) == callable(getattr(base, near[0])):
                raise UsageError(_message(type(part).__name__, name, near[0], callable(value)))


def check_indentation(part: Part) -> None:
    """Check that no method of a user's class is written outside of it, or within another of its methods.

    Args:
        part: The selector or part.

    Raises:
        UsageError: Naming the method.
    """
    for kind in user_classes(type(part)):
        outside = _methods_outside(vars(sys.modules.get(kind.__module__, types)))
        within = methods_within_methods(kind)
        for name in SIGNATURES:
            if name in vars(kind) or not hasattr(protocol_class(kind), name) or name not in outside | within:
                continue
            place = "outside of the class" if name in outside else "within another method"
            raise UsageError(
                f"{kind.__name__} has no {name}: {SIGNATURES[name]} is written {place}, where nothing calls it. Mind"
                " its indentation."
            )


def _methods_outside(beside: Mapping[str, Any]) -> set[str]:
    """Return the names of the functions of a module that are written as methods and stand in none of its classes."""
    classes = [value for value in beside.values() if isinstance(value, type)]
    used = [plain_function(value) for kind in classes for value in vars(kind).values()]
    functions = {name: value for name, value in beside.items() if isinstance(value, types.FunctionType)}
    return {name for name, value in functions.items() if takes_self(value.__code__) and value not in used}


def _message(kind: str, name: str, near: str, is_method: bool) -> str:
    if is_method:
        shown = SIGNATURES.get(near, f"{near}(...)")
        return f"{kind} defines {name}, which nothing calls. Did you mean {shown}? Give it another name if not."
    return f"{kind}.{name} is read by nothing. Did you mean {near}? Annotate it if not: {name}: TYPE = ..."
