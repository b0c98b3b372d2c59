"""How commands print: JSON or columns on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from batchsel.errors import UsageError

SCHEMA = 1
"""Schema of the JSON objects that commands print."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def print_json(value: dict[str, Any]) -> None:
    """Prints one JSON object.

    Args:
        value: The object; `schema` is added.

    Example:
        >>> print_json({"names": []})
        {"schema": 1, "names": []}
    """
    click.echo(json.dumps({"schema": SCHEMA, **value}))


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows in columns, the last one ragged.

    Args:
        rows: Cells.

    Example:
        >>> print_columns([("a", "b"), ("long", "c")])
        a     b
        long  c
    """
    for line in columns(rows):
        click.echo(line)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with their cells in columns, the last one ragged.

    Args:
        rows: Cells.

    Example:
        >>> columns([("a", "b"), ("long", "c")])
        ['a     b', 'long  c']
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def check_picture(path: str | None, option: str) -> None:
    """Makes sure that a picture can be written under a name, before anything is computed for it.

    Args:
        path: The file, or None.
        option: The option that it was given by.

    Raises:
        UsageError: If it ends in neither .png nor .svg.
    """
    if path and Path(path).suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"{option} writes .png or .svg, got {path!r}.")


def save_picture(made: Any, path: Path) -> None:
    """Writes a figure as what its name ends in.

    Args:
        made: The figure.
        path: The file.
    """
    from batchsel.core.files import atomic_write

    with atomic_write(path) as beside:
        made.savefig(beside, format=path.suffix.lstrip(".").lower(), dpi=160)
