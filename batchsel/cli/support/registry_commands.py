"""How commands list names and show what is behind one: augmentations, curricula, models and schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from batchsel.cli.support import docstrings
from batchsel.cli.support.output import print_columns, print_json


def print_names(names: Iterable[str], doc: Callable[[str], str], key: str, note: str, as_json: bool) -> None:
    """Prints names with the first lines of their docstrings.

    Args:
        names: The names, which are sorted.
        doc: Gives the docstring of a name.
        key: What they are together, in the JSON.
        note: A line on how they are written, below the table.
        as_json: Whether to print one JSON object.
    """
    rows = [{"name": name, "summary": docstrings.summary(doc(name))} for name in sorted(names)]
    if as_json:
        print_json({key: rows})
        return
    print_columns([("NAME", ""), *((row["name"], row["summary"]) for row in rows)])
    click.echo(f"\n{note}")


def described(name: str, doc: str) -> dict[str, Any]:
    r"""What the docstring of a name says.

    Args:
        name: The name.
        doc: A docstring, without indentation.

    Example:
        >>> described("half", "Halves.\n\nSource: folklore.\n\nArgs:\n    x: What to halve.")
        {'name': 'half', 'summary': 'Halves.', 'source': 'folklore.', 'parameters': {'x': 'What to halve.'}}
    """
    paragraphs = {label.lower(): text for label, text in docstrings.labeled(doc).items()}
    return {"name": name, "summary": docstrings.summary(doc), **paragraphs, "parameters": docstrings.parameters(doc)}


def print_described(what: Mapping[str, Any]) -> None:
    """Prints what `described` found.

    Args:
        what: That.
    """
    click.echo(f"{what['name']}: {what['summary']}\n")
    paragraphs = {label: text for label, text in what.items() if label not in ("name", "summary", "parameters")}
    for label, text in (paragraphs | what["parameters"]).items():
        click.echo(click.wrap_text(f"{label}: {text}", width=100, initial_indent="  ", subsequent_indent="    "))


def print_name(name: str, doc: str, as_json: bool) -> None:
    """Prints what is behind one name.

    Args:
        name: The name.
        doc: Its docstring, without indentation.
        as_json: Whether to print one JSON object.
    """
    what = described(name, doc)
    if as_json:
        print_json(what)
    else:
        print_described(what)
