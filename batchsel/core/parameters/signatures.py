"""Parameters of registered names, read from the sources: texts are checked before anything is imported.

A parameter has the annotation that its class or function has in Python, so both forms have the same bounds.
"""

from __future__ import annotations

import ast
import functools
import inspect
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from batchsel.core import parameters
from batchsel.core.registry import catalog

OPTIONS = "Options"
"""Name of the dataclass that holds the parameters of a module, for names that stand for modules."""
_NAMES = {**vars(typing), **vars(parameters), "Sequence": Sequence}
_PACKAGE = "batchsel."


@functools.cache
def read_signature(target: str) -> inspect.Signature | None:
    """Return the signature of a class, function or module of batchsel; None for those of other packages.

    Args:
        target: The location, as ``module:attribute``, or ``module:`` for the `Options` of a module.

    Example:
        >>> read_signature("batchsel.selectors.scores.loss_ema:LossEMA").parameters["decay"].default
        0.9
    """
    module, attribute = target.split(":")
    source = catalog.source(module) if module.startswith(_PACKAGE) else None
    if source is None:
        return None
    tree = ast.parse(source)
    node = catalog.definition(module, tree, attribute or OPTIONS)
    if node is None:
        return None if attribute else inspect.Signature()
    found = _fields(node) if isinstance(node, ast.ClassDef) else _arguments(node)
    return inspect.Signature(list(found))


def _fields(node: ast.ClassDef) -> Iterator[inspect.Parameter]:
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            annotation = ast.unparse(line.annotation)
            if not annotation.startswith("ClassVar"):
                yield _parameter(line.target.id, line.annotation, line.value)


def _arguments(node: ast.FunctionDef) -> Iterator[inspect.Parameter]:
    arguments = node.args.args
    defaults = [None] * (len(arguments) - len(node.args.defaults)) + node.args.defaults
    for argument, default in zip(arguments, defaults, strict=True):
        yield _parameter(argument.arg, argument.annotation, default)


def _parameter(name: str, annotation: ast.expr | None, default: ast.expr | None) -> inspect.Parameter:
    try:
        known = inspect.Parameter.empty if default is None else ast.literal_eval(default)
    except ValueError:
        known = None  # a constant of the module; only whether there is a default matters
    hint = Any if annotation is None else _hint(ast.unparse(annotation))
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=known, annotation=hint)


def _hint(annotation: str) -> Any:
    """Return an annotation in the source of batchsel as an object; `Any` if it names a type of another module."""
    try:
        return eval(annotation, dict(_NAMES))
    except NameError:
        return Any
