"""The text form of a selector: ``loss_ema(0.9) | warmup(1) | mix(uniform=0.1)``.

Parsed with `ast`, literals only: nothing is evaluated. `repr` of a selector prints it back.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from typing import Any

from batchsel.errors import UsageError, unknown_name
from batchsel.selectors.registry import find

_EXAMPLE = "Expected a name, or a pipe such as 'loss_ema(0.9) | warmup(1) | mix(uniform=0.1)'."
_FILE = re.compile(r"^(?P<path>[^()|]+\.py):(?P<name>[A-Za-z_]\w*)\s*(?P<arguments>\(.*\))?$", re.DOTALL)


def parse(text: str) -> Any:
    """Builds the selector that a text describes.

    A part of the pipe may also be ``./mine.py:Mine`` or ``./mine.py:Mine(0.5)``: that file is run.

    Args:
        text: The text form.

    Returns:
        A part, or a composition of parts.

    Raises:
        UsageError: If the text cannot be read, or names what does not exist.

    Example:
        >>> parse("loss_ema | mix(0.2)")
        loss_ema(decay=0.9) | mix(uniform=0.2)
    """
    parts = [_part(piece.strip(), text) for piece in _pieces(text)]
    result = parts[0]
    for part in parts[1:]:
        result = result | part
    return result


def _pieces(text: str) -> list[str]:
    """Cuts at the bars that stand outside parentheses and quotes."""
    pieces, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += not quote and {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0 and not quote:
            pieces.append("")
        else:
            pieces[-1] += character
    return pieces


def _part(piece: str, text: str) -> Any:
    in_file = _FILE.match(piece)
    if in_file:
        target = _from_file(Path(in_file["path"].strip()), in_file["name"])
        if not (in_file["arguments"] or inspect.isclass(target)):
            return target
        node = _expression(f"x{in_file['arguments'] or ''}", text)
        return _build(target, in_file["name"], node, text)
    node = _expression(piece, text)
    name = node.func if isinstance(node, ast.Call) else node
    if not isinstance(name, ast.Name):
        raise UsageError(f"cannot read the selector {text!r} at {piece!r}. {_EXAMPLE}")
    return _build(find(name.id).load(), name.id, node, text)


def _expression(piece: str, text: str) -> ast.expr:
    try:
        return ast.parse(piece.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise UsageError(
            f"cannot read the selector {text!r} at {piece!r}: {error.args[0]}. {_EXAMPLE}"
        ) from None


def _build(target: Any, name: str, node: ast.expr, text: str) -> Any:
    """Calls a class, or a function that composes selectors, with literal arguments."""
    arguments, keywords = [], {}
    if isinstance(node, ast.Call):
        arguments = [_literal(argument, text) for argument in node.args]
        keywords = {keyword.arg: _literal(keyword.value, text) for keyword in node.keywords}
    parameters = list(inspect.signature(target).parameters)
    for keyword in keywords:
        if keyword not in parameters:
            raise unknown_name(f"parameter of {name}", str(keyword), parameters)
    try:
        inspect.signature(target).bind(*arguments, **keywords)
    except TypeError as error:
        usage = f"{name}({', '.join(parameters)})"
        raise UsageError(f"cannot build the selector {text!r}: {error}. Expected {usage}.") from None
    return target(*arguments, **keywords)


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        shown = ast.unparse(node)
        raise UsageError(
            f"cannot read the selector {text!r}: {shown!r} is no number, text in quotes, or list of these."
        ) from None


def _from_file(path: Path, name: str) -> Any:
    """The object of that name in a Python file of the user's."""
    if not path.is_file():
        raise UsageError(f"no file {str(path)!r} to take the selector {name!r} from.")
    module_name = f"batchsel_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    if not hasattr(module, name):
        public = [key for key in vars(module) if not key.startswith("_")]
        raise unknown_name(f"name in {path}", name, public)
    return getattr(module, name)
