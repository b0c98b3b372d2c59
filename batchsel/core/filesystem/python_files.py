"""Python files of users: they import their neighbors, and count by their content."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

_neighbors: set[str] = set()
"""Names of the modules that users' files imported from their own folders."""


@contextlib.contextmanager
def importable_neighbors(path: Path) -> Iterator[None]:
    """Let a file import the modules beside it while it is run, each as it is on disk now.

    Args:
        path: The file.
    """
    folder = path.resolve().parent
    for name in _neighbors & set(sys.modules):
        del sys.modules[name]
    _neighbors.clear()
    before, writing = set(sys.modules), sys.dont_write_bytecode
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    # Byte code is told apart by the second and the size of its source, so a quick change would go unseen.
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writing
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:  # for imports within functions; other modules come first
            sys.path.append(str(folder))
        _neighbors.update(name for name in set(sys.modules) - before if _is_below(name, folder))


def _is_below(name: str, folder: Path) -> bool:
    file = getattr(sys.modules[name], "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(folder)


def source_files(path: Path) -> list[Path]:
    """Return a Python file and the files in its folder that it imports, directly or through others.

    Imports are read from the source, nothing is run: an import of a computed name is not seen.

    Args:
        path: The file.

    Example:
        >>> [file.name for file in source_files(Path("/nowhere/mine.py"))]
        []
    """
    found: dict[Path, None] = {}
    waiting = [path.resolve()]
    folder = path.resolve().parent
    while waiting:
        file = waiting.pop(0)
        if file in found or not file.is_file():
            continue
        found[file] = None
        waiting += [neighbor for neighbor in _imported_files(file, folder) if neighbor not in found]
    return list(found)


def _imported_files(file: Path, folder: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_files(folder, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if node.level else folder
            for name in ("", *(alias.name for alias in node.names)):
                yield from _module_files(base, ".".join(filter(None, (node.module, name))))


def _module_files(base: Path, name: str) -> Iterator[Path]:
    """Yield the files that an import of a dotted name runs, if they are below a folder."""
    place = base
    for part in name.split("."):
        place = place / part
        yield from (each for each in (place.with_suffix(".py"), place / "__init__.py") if each.is_file())


def content_hash(path: Path) -> str:
    """Return a short hash of a Python file and of the neighbors that it imports; empty if there is no such file.

    Args:
        path: The file.

    Example:
        >>> len(content_hash(Path(__file__))), content_hash(Path("missing.py"))
        (16, '')
    """
    files = source_files(path)
    if not files:
        return ""
    digest = hashlib.sha256(files[0].read_bytes())
    for file in sorted(files[1:]):
        name = file.relative_to(files[0].parent).as_posix() if file.is_relative_to(files[0].parent) else file.name
        digest.update(f"\0{name}\0".encode(errors="surrogateescape") + file.read_bytes())
    return digest.hexdigest()[:16]
