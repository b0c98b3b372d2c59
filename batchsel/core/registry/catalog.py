"""Contents of folders of modules, read from the sources.

Nothing is imported, so listing selectors does not need TensorFlow, and each name is defined once, beside its class.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_Definition = ast.ClassDef | ast.FunctionDef


class Item(NamedTuple):
    """A class or function that a rule found in the source of a module.

    Args:
        name: The registry name.
        attribute: The public attribute of the module; empty for the module itself.
    """

    name: str
    attribute: str


Rule = Callable[[str, ast.Module], list[Item]]
"""From the name of a module and its syntax tree to the items in it."""


def named_parts(module: str, tree: ast.Module) -> list[Item]:
    r"""Return the classes with ``name = "..."`` and the functions with a class-like alias, as in ``Smart = smart``.

    Args:
        module: Name of the module.
        tree: Its syntax tree.

    Example:
        >>> named_parts("half", ast.parse("class Half:\n    name = 'half'\ndef smart(): ...\nSmart = smart"))
        [Item(name='half', attribute='Half'), Item(name='smart', attribute='Smart')]
    """
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    items = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            items += [Item(name, node.name) for name in _name_attribute(node)]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in functions:
            items += [Item(node.value.id, target.id) for target in node.targets if isinstance(target, ast.Name)]
    return items


def functions_with(*parameters: str) -> Rule:
    r"""Return a rule that finds the public functions whose first parameters have the given names.

    Args:
        parameters: Names of the parameters.

    Example:
        >>> rule = functions_with("input_shape", "outputs")
        >>> rule("mlp", ast.parse("def mlp(input_shape, outputs, hidden=()): ...\ndef _block(x): ..."))
        [Item(name='mlp', attribute='mlp')]
    """

    def rule(module: str, tree: ast.Module) -> list[Item]:
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
        return [Item(node.name, node.name) for node in functions if _parameters(node)[: len(parameters)] == parameters]

    return rule


def modules_with(function: str) -> Rule:
    """Return a rule that finds the modules with a function of the given name.

    Args:
        function: Name of the function.

    Example:
        >>> modules_with("load")("iris", ast.parse("def load(card, seed, folder): ..."))
        [Item(name='iris', attribute='')]
    """

    def rule(module: str, tree: ast.Module) -> list[Item]:
        found = any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body)
        return [Item(module, "")] if found else []

    return rule


@functools.cache
def scan(package: str, rule: Rule) -> dict[str, str]:
    """Return ``module:attribute`` for each name in the modules of a package.

    Args:
        package: The package, as in ``"batchsel.selectors.methods"``.
        rule: Finds the items in a module.

    Example:
        >>> scan("batchsel.selectors.scores", named_parts)["last_loss"]
        'batchsel.selectors.scores.last_loss:LastLoss'
    """
    found: dict[str, str] = {}
    for path in _sources(package):
        for name, attribute in rule(path.stem, ast.parse(path.read_text("utf-8"))):
            found.setdefault(name, f"{package}.{path.stem}:{attribute}")
    return found


def docstring(target: str) -> str:
    """Return the docstring of a class or function without importing it.

    Args:
        target: The location, as ``module:attribute``.

    Example:
        >>> docstring("batchsel.models.mlp:mlp").splitlines()[0]
        'Build a feed-forward network: dense layers with ReLU.'
    """
    module, attribute = target.split(":")
    text = source(module)
    node = definition(module, ast.parse(text), attribute) if text is not None else None
    return (ast.get_docstring(node) or "") if node else ""


def source(module: str) -> str | None:
    """Return the source of a module without importing it; None if there is none.

    Args:
        module: Name of the module.
    """
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).read_text("utf-8") if spec is not None and spec.origin is not None else None


def definition(module: str, tree: ast.Module, attribute: str) -> ast.ClassDef | ast.FunctionDef | None:
    """Return the class or function of a name in the source of a module, also of an alias as in ``Smart = smart``.

    Args:
        module: Name of the module.
        tree: Its syntax tree.
        attribute: The name.
    """
    definitions = {node.name: node for node in tree.body if isinstance(node, _Definition)}
    aliases = {item.attribute: item.name for item in named_parts(module, tree)}
    return definitions.get(attribute) or definitions.get(aliases.get(attribute, ""))


def _sources(package: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(path for path in Path(folder).glob("*.py") if path.stem != "__init__")


def _name_attribute(node: ast.ClassDef) -> Iterator[str]:
    for line in node.body:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        value = getattr(line, "value", None)
        if isinstance(target, ast.Name) and target.id == "name" and isinstance(value, ast.Constant):
            yield str(value.value)


def _parameters(node: ast.FunctionDef) -> tuple[str, ...]:
    return tuple(argument.arg for argument in node.args.args)
