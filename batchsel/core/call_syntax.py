"""Names with literal arguments, as in ``loss_ema(0.9)``, ``mlp(hidden=[64, 64])`` or ``./mine.py:Mine(2)``.

Read with `ast`, literals only: nothing in the text is evaluated.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from batchsel.errors import UsageError, unknown_name

_FILE = re.compile(r"^(?P<path>[^()]+\.py):(?P<call>.+)$", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A name and its arguments.

    Args:
        text: The text it was read from.
        name: The name.
        arguments: Literals given by position.
        keywords: Literals given by name.
        path: The file that the name is to be taken from, or None.
        bare: Whether there were no parentheses.
    """

    text: str
    name: str
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    bare: bool = True

    def apply(self, target: Callable[..., Any]) -> Any:
        """Calls a class or function with the arguments, which are checked first.

        Args:
            target: What the name stands for.

        Raises:
            UsageError: If an argument is unknown, or one is missing.

        Example:
            >>> parse_call("pow(2)").apply(lambda base, exponent=3: base**exponent)
            8
        """
        parameters = inspect.signature(target).parameters
        kinds = {parameter.kind for parameter in parameters.values()}
        for keyword in self.keywords:
            if keyword not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
                raise unknown_name(f"parameter of {self.name}", keyword, parameters)
        try:
            inspect.signature(target).bind(*self.arguments, **self.keywords)
        except TypeError as error:
            usage = f"{self.name}({', '.join(parameters)})"
            raise UsageError(f"cannot build {self.text!r}: {error}. Expected {usage}.") from None
        return target(*self.arguments, **self.keywords)

    def load(self) -> Any:
        """The object of that name in the file; the file is run.

        Raises:
            UsageError: If there is no such file, or no such name in it.
        """
        return load_from_file(self.path, self.name)

    def resolve(self, load: Callable[[str], Any]) -> Any:
        """What a part of a pipe stands for: a name is called, an object in a file is taken as it is if it is bare.

        Args:
            load: Gives the class of a name.

        Raises:
            UsageError: If there is no such thing, or an argument is unknown or missing.

        Example:
            >>> parse_call("pow(2)").resolve({"pow": lambda base, exponent=3: base**exponent}.get)
            8
        """
        if self.path is None:
            return self.apply(load(self.name))
        target = self.load()
        return target if self.bare and not inspect.isclass(target) else self.apply(target)


def parse_call(text: str) -> Call:
    """Reads a name with literal arguments.

    Args:
        text: ``name``, ``name(literals)``, or either behind ``./file.py:``.

    Raises:
        UsageError: If the text is not of that form.

    Example:
        >>> parse_call("mlp(hidden=[8, 8])").keywords
        {'hidden': [8, 8]}
    """
    in_file = _FILE.match(text.strip())
    words = in_file["call"] if in_file else text
    try:
        node = ast.parse(words.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unreadable(text) from None
    name = node.func if isinstance(node, ast.Call) else node
    if not isinstance(name, ast.Name):
        raise _unreadable(text)
    arguments = node.args if isinstance(node, ast.Call) else []
    keywords = node.keywords if isinstance(node, ast.Call) else []
    names = [keyword.arg for keyword in keywords]
    if None in names or len(set(names)) < len(names):
        raise _unreadable(text)
    return Call(
        text,
        name.id,
        tuple(_literal(argument, text) for argument in arguments),
        {keyword.arg: _literal(keyword.value, text) for keyword in keywords},
        Path(in_file["path"].strip()) if in_file else None,
        bare=not isinstance(node, ast.Call),
    )


def split_pipe(text: str) -> list[str]:
    """Cuts a pipe at the bars that stand outside parentheses and quotes.

    Args:
        text: Names with arguments, with ``|`` between them.

    Example:
        >>> split_pipe("loss_ema(0.9) | given('a|b.npy')")
        ['loss_ema(0.9) ', " given('a|b.npy')"]
    """
    found, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += not quote and {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0 and not quote:
            found.append("")
        else:
            found[-1] += character
    return found


def to_text(part: Any) -> str:
    """A frozen dataclass with a `name` as text that can be read again.

    Args:
        part: The dataclass.

    Example:
        >>> import batchsel
        >>> to_text(batchsel.selectors.LossEMA())
        'loss_ema(decay=0.9)'
    """
    values = [(field.name, _plain(getattr(part, field.name))) for field in fields(part)]
    arguments = ", ".join(f"{key}={value!r}" for key, value in values)
    return f"{part.name}({arguments})" if arguments else part.name


def _plain(value: Any) -> Any:
    """A NumPy number as a Python number, which prints as it is written."""
    return value.item() if hasattr(value, "item") else value


def parse_pipe(text: str, example: str) -> list[Call]:
    """Reads the pieces of a pipe.

    Args:
        text: Names with arguments, with ``|`` between them.
        example: A sentence with an example, the end of the message.

    Raises:
        UsageError: If a piece is not of the form that `parse_call` takes.

    Example:
        >>> [call.name for call in parse_pipe("crop(4) | flip", "")]
        ['crop', 'flip']
    """
    found = []
    for piece in split_pipe(text):
        try:
            found.append(parse_call(piece))
        except UsageError as error:
            whole = "" if piece.strip() == text.strip() else f" in {text!r}"
            raise UsageError(f"{error}{whole} {example}") from None
    return found


def load_from_file(path: Path, name: str) -> Any:
    """Runs a Python file of the user's and takes an object out of it.

    Args:
        path: The file.
        name: The name in it.

    Raises:
        UsageError: If there is no such file, it cannot be run, or has no such name.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r} to take {name!r} from. Expected ./FILE.py:NAME.")
    module_name = f"batchsel_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = getattr(error, "lineno", None) or traceback.extract_tb(error.__traceback__)[-1].lineno
        raise UsageError(f"{path} cannot be run, line {line}: {type(error).__name__}: {error}.") from error
    if not hasattr(module, name):
        public = [key for key in vars(module) if not key.startswith("_")]
        raise unknown_name(f"name in {path}", name, public)
    return getattr(module, name)


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        shown = ast.unparse(node)
        raise UsageError(f"cannot read {text!r}: {shown!r} is no number, text in quotes, or list of these.") from None


def _unreadable(text: str) -> UsageError:
    return UsageError(f"cannot read {text!r}. Expected a name, or a name with literal arguments: name(0.9, key='x').")
