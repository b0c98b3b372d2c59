"""Names with literal arguments, as in ``loss_ema(0.9)``, ``mlp(hidden=[64, 64])`` or ``./mine.py:Mine(2)``.

Parsed with `ast`, literals only: nothing in the text is evaluated.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from batchsel.core.filesystem.python_files import importable_neighbors
from batchsel.core.filesystem.reading import shorten_path
from batchsel.core.parameters import check_values, convert_arguments, hints_of
from batchsel.errors import UsageError, UserError, show, unknown_name

_FILE = re.compile(r"^(?P<path>[^()]+\.py)(:(?P<call>.+))?$", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A name and its arguments.

    Args:
        text: The text that was parsed.
        name: The name; empty for a file of which none is named.
        arguments: Positional arguments.
        keywords: Keyword arguments.
        path: The file that defines the name, or None for a registry name.
        bare: True if there were no parentheses.
    """

    text: str
    name: str
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    bare: bool = True

    def apply(self, target: Callable[..., Any]) -> Any:
        """Call a class or function with the arguments, after checking them against its signature.

        Integers are converted where its annotations mean floats.

        Args:
            target: The class or function.

        Raises:
            UsageError: If an argument is unknown or missing.

        Example:
            >>> parse_call("pow(2)").apply(lambda base, exponent=3: base**exponent)
            8
        """
        if not callable(target):
            raise UsageError(f"cannot build {show(self.text)}: {self.name} is a {type(target).__name__}, not a class.")
        try:
            signature = inspect.signature(target)
        except ValueError:  # some functions in C do not state theirs
            signature = inspect.signature(lambda *arguments, **keywords: None)
        self._check_fields(target, signature)
        self.check_arguments(signature)
        bound = signature.bind(*self.arguments, **self.keywords)
        convert_arguments(bound, hints_of(target))
        try:
            return target(*bound.args, **bound.kwargs)
        except UserError:
            raise
        except Exception as error:
            if self.path is None:
                raise
            raise UsageError(f"cannot build {show(self.text)}: {describe_failure(error)}") from error

    def _check_fields(self, target: Any, signature: inspect.Signature) -> None:
        for keyword in self.keywords:
            value = getattr(target, keyword, None)
            if is_dataclass(target) and keyword not in signature.parameters and not (value is None or callable(value)):
                raise UsageError(
                    f"{self.name}.{keyword} is not a parameter, since it has no annotation. Write {keyword}:"
                    f" {type(value).__name__} = {show(value)} in the class."
                )

    def check_arguments(self, signature: inspect.Signature) -> None:
        """Check the arguments by the names and annotations of a signature, without calling anything.

        Args:
            signature: The signature; annotations may state bounds, see `batchsel.core.parameters`.

        Raises:
            UsageError: If an argument is unknown, missing or not allowed.

        Example:
            >>> from batchsel.core.parameters import Share
            >>> signature = inspect.Signature([inspect.Parameter("end", 1, annotation=Share)])
            >>> parse_call("linear(2)").check_arguments(signature)
            Traceback (most recent call last):
            batchsel.errors.UsageError: linear: end must be a number in [0, 1], got 2.
        """
        parameters = signature.parameters
        kinds = {parameter.kind for parameter in parameters.values()}
        for keyword in self.keywords:
            if keyword not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
                raise unknown_name(f"parameter of {self.name}", keyword, parameters)
        try:
            bound = signature.bind(*self.arguments, **self.keywords)
        except TypeError as error:
            usage = f"{self.name}({', '.join(parameters)})"
            raise UsageError(f"cannot build {show(self.text)}: {error}. Expected {usage}.") from None
        check_values(self.name, bound.arguments, {name: each.annotation for name, each in parameters.items()})

    def load(self, lookup: Callable[[str], Any]) -> Any:
        """Return the class, function or object behind the name; a file is run.

        Args:
            lookup: Returns the class or function of a registry name.

        Raises:
            UsageError: If there is no such name or file.
        """
        if self.path is None:
            return lookup(self.name)
        if not self.name:
            raise UsageError(f"{show(self.text)} names a file and nothing in it. Expected ./FILE.py:NAME.")
        return load_from_file(self.path, self.name)

    def resolve(self, lookup: Callable[[str], Any]) -> Any:
        """Return the object that a part of a pipe stands for.

        Registry names and classes are called; a bare function or object from a file is returned as it is.

        Args:
            lookup: Returns the class or function of a registry name.

        Raises:
            UsageError: If there is no such name or file, or an argument is unknown or missing.

        Example:
            >>> parse_call("pow(2)").resolve({"pow": lambda base, exponent=3: base**exponent}.get)
            8
        """
        target = self.load(lookup)
        from_file = self.path is not None
        return target if from_file and self.bare and not inspect.isclass(target) else self.apply(target)


def parse_call(text: str) -> Call:
    """Parse a name with literal arguments.

    Args:
        text: ``name`` or ``name(literals)``, or either after ``./file.py:``; or a file alone.

    Raises:
        UsageError: If the text does not have that form.

    Example:
        >>> parse_call("mlp(hidden=[8, 8])").keywords
        {'hidden': [8, 8]}
    """
    in_file = _FILE.match(text.strip())
    if in_file and in_file["call"] is None:
        return Call(text, "", path=Path(in_file["path"].strip()))
    try:
        with warnings.catch_warnings(action="ignore"):  # of text that Python reads, but that looks like a mistake
            node = ast.parse((in_file["call"] if in_file else text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _syntax_error(text) from None
    name = node.func if isinstance(node, ast.Call) else node
    if not isinstance(name, ast.Name):
        raise _syntax_error(text)
    arguments = node.args if isinstance(node, ast.Call) else []
    return Call(
        text,
        name.id,
        tuple(_literal(argument, text) for argument in arguments),
        _keywords(node.keywords, text) if isinstance(node, ast.Call) else {},
        Path(in_file["path"].strip()) if in_file else None,
        bare=not isinstance(node, ast.Call),
    )


def split_pipe(text: str) -> list[str]:
    """Split a pipe at the bars outside parentheses and quotes.

    Args:
        text: Names with arguments, with ``|`` between them.

    Example:
        >>> split_pipe("loss_ema(0.9) | given('a|b.npy')")
        ['loss_ema(0.9) ', " given('a|b.npy')"]
    """
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += not quote and {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def parse_pipe(text: str, example: str) -> list[Call]:
    """Parse the parts of a pipe.

    Args:
        text: Names with arguments, with ``|`` between them.
        example: A sentence with an example, the end of the error message.

    Raises:
        UsageError: If a part does not have the form that `parse_call` accepts.

    Example:
        >>> [call.name for call in parse_pipe("crop(4) | flip", "")]
        ['crop', 'flip']
    """
    calls = []
    for part in split_pipe(text):
        try:
            calls.append(parse_call(part))
        except UsageError as error:
            place = "" if part.strip() == text.strip() else f" in {show(text)}"
            raise UsageError(f"{error}{place} {example}") from None
    return calls


def to_text(part: Any) -> str:
    """Return the text form of an object with a `name`; parsing it builds an equal object.

    Args:
        part: A dataclass, or an object that keeps the parameters of its constructor under their names.

    Raises:
        UsageError: If it keeps one under another name.

    Example:
        >>> import batchsel
        >>> to_text(batchsel.selectors.LossEMA())
        'loss_ema(decay=0.9)'
    """
    values = [(name, _to_python(value)) for name, value in _parameter_values(part).items()]
    arguments = ", ".join(f"{key}={value!r}" for key, value in values)
    return f"{part.name}({arguments})" if arguments else part.name


def _parameter_values(part: Any) -> dict[str, Any]:
    """Return the parameters that an object was built with, by name."""
    if is_dataclass(part):
        return {field.name: getattr(part, field.name) for field in fields(part)}
    values, kind = {}, type(part)
    for name in inspect.signature(kind).parameters:
        kept = next((place for place in (name, f"_{name}") if hasattr(part, place)), None)
        if kept is None:
            raise UsageError(
                f"{kind.__name__} does not keep its parameter {name!r}, which checkpoints and records state. Write"
                f" self.{name} = {name} in __init__, or make it a dataclass: @dataclass(frozen=True, repr=False)."
            )
        values[name] = getattr(part, kept)
    return values


def describe_failure(error: Exception) -> str:
    """Return what went wrong when a class of a user was defined or called, with a remedy for common slips.

    Args:
        error: The exception.

    Example:
        >>> describe_failure(ValueError("mutable default list for field a is not allowed: use default_factory"))
        'ValueError: mutable default list for field a is not allowed. Use a tuple, as in sizes: tuple = (1, 2).'
    """
    text, remedy = str(error), ""
    if "mutable default" in text:
        text, remedy = text.partition(": use")[0], " Use a tuple, as in sizes: tuple = (1, 2)."
    if isinstance(error, FrozenInstanceError):
        remedy = " A frozen dataclass changes nothing: compute it where it is used, and keep what changes in the state."
    return f"{type(error).__name__}: {text.rstrip('.')}.{remedy}"


def load_from_file(path: Path, name: str) -> Any:
    """Run a user's Python file, which may import the modules beside it, and return an object from it.

    Args:
        path: The file.
        name: Name of the object.

    Raises:
        UsageError: If there is no such file, it cannot be run, or it has no such name.
    """
    module = run_file(path, name)
    if not hasattr(module, name):
        public = [key for key, value in vars(module).items() if not key.startswith("_") and not inspect.ismodule(value)]
        raise unknown_name(f"name in {path}", name, public)
    return getattr(module, name)


def run_file(path: Path, wanted: str = "") -> ModuleType:
    """Run a user's Python file, which may import the modules beside it, and return it as a module.

    Args:
        path: The file.
        wanted: What is wanted of it, for the message.

    Raises:
        UsageError: If there is no such file, or it cannot be run.
    """
    if not os.path.isfile(path):
        source = f" to load {shorten_path(wanted)!r} from" if wanted else ""
        raise UsageError(f"there is no file {shorten_path(path)!r}{source}. Expected ./FILE.py:NAME.")
    module_name = f"batchsel_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported as a Python file. Expected ./FILE.py:NAME.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        with importable_neighbors(path):
            _import_tensorflow_for(path)
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script may call sys.exit
        frames = traceback.extract_tb(error.__traceback__)
        place = os.path.abspath(path)  # not the lines of what it calls
        own = [frame for frame in frames if frame.filename == place] or frames
        line = getattr(error, "lineno", None) or own[-1].lineno
        failure = describe_failure(error) if isinstance(error, Exception) else f"{type(error).__name__}: {error}."
        raise UsageError(f"{path} cannot be run, line {line}: {failure}") from error
    return module


def _import_tensorflow_for(path: Path) -> None:
    """Import TensorFlow quietly before a file that would do so with all of its messages."""
    if re.search(rb"\b(tensorflow|keras|batchsel)\b", path.read_bytes()):
        from batchsel.core.tf_support.tf_import import import_tensorflow

        import_tensorflow()


def _to_python(value: Any) -> Any:
    """Return a NumPy number as a Python number, whose repr is a literal."""
    return value.item() if hasattr(value, "item") and not getattr(value, "ndim", 0) else value


def _keywords(nodes: list[ast.keyword], text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in nodes:
        if node.arg is None or node.arg in found:  # **unpacked, or given twice
            raise _syntax_error(text)
        found[node.arg] = _literal(node.value, text)
    return found


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise UsageError(
            f"cannot read {show(text)}: {_source(node)} is not a number, quoted text, or list of these."
        ) from None
    except (RecursionError, MemoryError):
        raise _syntax_error(text) from None


def _source(node: ast.expr) -> str:
    try:
        return show(ast.unparse(node))
    except (RecursionError, ValueError):
        return "a part of it"


def _syntax_error(text: str) -> UsageError:
    return UsageError(
        f"cannot read {show(text)}. Expected a name, or a name with literal arguments: name(0.9, key='x')."
    )
