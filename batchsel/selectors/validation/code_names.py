"""Names that the code of functions reads."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
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


def methods_within_methods(kind: type) -> set[str]:
    """Return the names of the functions that take `self` and are written within methods of a class.

    They are read from the source, since Python leaves out what follows a `return`.

    Args:
        kind: The class; of one without a source nothing is known.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return set()
    methods = [node for node in ast.iter_child_nodes(tree.body[0]) if isinstance(node, ast.FunctionDef)]
    inner = [node for method in methods for node in ast.walk(method) if node is not method]
    found = [node for node in inner if isinstance(node, ast.FunctionDef)]
    return {node.name for node in found if node.args.args and node.args.args[0].arg == "self"}


def takes_self(code: types.CodeType) -> bool:
    """Return whether the first parameter of a function is named as that of a method.

    Args:
        code: Its code.
    """
    return code.co_argcount > 0 and code.co_varnames[0] == "self"


def _names_of(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from (text for text in code.co_consts if isinstance(text, str))  # as in getattr(self, "name")
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names_of(inner)
