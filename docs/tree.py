"""Write the tree of the package into `docs/architecture.md`: `python docs/tree.py`.

Every folder and module stands there with the first line of its docstring; in the catalogs (one file for each entry)
names are enough.
"""

import ast
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- tree: written by docs/tree.py -->\n", "<!-- end of the tree -->\n"
CATALOGS = ("methods", "sets", "models", "architectures")
_LABEL, _WIDTH = 32, 120


def tree(folder: Path = ROOT / "batchsel", depth: int = 0) -> list[str]:
    """Return the lines of a folder: itself, its modules, its subfolders.

    Args:
        folder: A package.
        depth: Levels above it.
    """
    lines = _entry(f"{folder.name}/", folder / "__init__.py", depth)
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    if folder.name in CATALOGS:
        names = ", ".join(path.stem for path in modules)
        indent = "  " * (depth + 1)
        lines += textwrap.wrap(names, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    else:
        for path in modules:
            lines += _entry(path.name, path, depth + 1)
    for path in sorted(path.parent for path in folder.glob("*/__init__.py")):
        lines += tree(path, depth + 1)
    return lines


def page() -> str:
    """Return `docs/architecture.md` with the tree as it is now."""
    text = PAGE.read_text("utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    return head + BEGIN + "```text\n" + "\n".join(tree()) + "\n```\n" + END + tail


def _entry(name: str, path: Path, depth: int) -> list[str]:
    doc = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    label = ("  " * depth + name).ljust(_LABEL - 1) + " "
    return textwrap.wrap(label + doc.split("\n\n")[0], _WIDTH, subsequent_indent=" " * _LABEL, drop_whitespace=True)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
