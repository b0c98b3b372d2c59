"""Names that the code of functions reads."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator
from typing import Any


def plain_function(value: Any) -> Any:
    """Return the function behind a property, a method, a partial or a decorated function; other values as they are.

    Args:
        value: Anything.
    """
    while True:
        inner = (
            value.func if isinstance(value, functools.partial) else
            getattr(value, "fget", None) or getattr(value, "__func__", None) or getattr(value, "__wrapped__", None)
        )  # fmt: skip
        if inner is None:
            return value
        value = inner


def names_in(values: Iterable[Any]) -> Iterator[str]:
    """Yield the names that the code of functions reads, also in functions within them, and their texts.

    Args:
        values: Functions and other values, which have none.

    Example:
        >>> sorted(names_in([lambda self: self.count + len("word")]))
        ['count', 'len', 'word']
    """
    for value in values:
        code = getattr(plain_function(value), "__code__", None)
        if isinstance(code, types.CodeType):
            yield from _names_of(code)


def _names_of(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from (text for text in code.co_consts if isinstance(text, str))  # as in getattr(self, "name")
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names_of(inner)
