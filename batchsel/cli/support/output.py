"""Output of commands: JSON, columns, and figures in files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from batchsel.errors import UsageError

SCHEMA = 1
"""Schema of the JSON objects that commands print."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object, with its `schema`.

    Example:
        >>> print_json({"names": []})
        {"schema": 1, "names": []}
    """
    click.echo(json.dumps({"schema": SCHEMA, **value}))


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells in columns, the last one ragged.

    Example:
        >>> print_columns([("a", "b"), ("long", "c")])
        a     b
        long  c
    """
    for line in format_columns(rows):
        click.echo(line)


def format_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines in columns, the last one ragged.

    Example:
        >>> format_columns([("a", "b"), ("long", "c")])
        ['a     b', 'long  c']
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def print_notes(problems: Iterable[object], notes: Iterable[str]) -> list[str]:
    """Print on standard error what was left out of records and which of several records of a run count.

    Args:
        problems: Lines that were left out.
        notes: Sentences without an end.

    Returns:
        All of them, for a report.
    """
    left_out, notes = list(map(str, problems)), list(notes)
    for line in left_out:
        click.echo(f"left out: {line}", err=True)
    for note in notes:
        click.echo(f"note: {note}.", err=True)
    return left_out + notes


def check_figure_path(path: str | None, option: str) -> None:
    """Check that a figure can be written under a name, before anything is computed for it.

    Args:
        path: The file, or None.
        option: Name of the option, for the message.

    Raises:
        UsageError: If it ends in neither .png nor .svg.
    """
    if path and Path(path).suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"{option} writes .png or .svg, got {path!r}.")


def save_figure(figure: Any, path: Path) -> None:
    """Write a Matplotlib figure in the format of its suffix."""
    from batchsel.core.filesystem.atomic_write import atomic_write

    with atomic_write(path) as beside:
        figure.savefig(beside, format=path.suffix.lstrip(".").lower(), dpi=160)
