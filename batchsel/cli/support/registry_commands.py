"""Commands that list the names of a registry and show the docstring behind one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import click

from batchsel.cli.support import docstrings
from batchsel.cli.support.output import json_option, print_columns, print_json


class Catalog(NamedTuple):
    """Names, and the docstring of each."""

    names: Iterable[str]
    doc: Callable[[str], str]


def list_command(key: str, catalog: Callable[[], Catalog], note: str) -> click.Command:
    """Return the command that lists all names with the first lines of their docstrings.

    Args:
        key: Name of the group of commands, and key of the rows in the JSON.
        catalog: Finds the names, when the command runs.
        note: A line below the table: how to write names in an option.
    """

    @click.command("list", help=f"List all {key}.", epilog=f"\b\nExample:\n  batchsel {key} list --json")
    @json_option
    def list_names(as_json: bool) -> None:
        names, doc = catalog()
        rows = [{"name": name, "summary": docstrings.summary(doc(name))} for name in sorted(names)]
        if as_json:
            print_json({key: rows})
            return
        print_columns([("NAME", ""), *((row["name"], row["summary"]) for row in rows)])
        click.echo(f"\n{note}")

    return list_names


def show_command(
    key: str, kind: str, catalog: Callable[[], Catalog], example: str, omit: Collection[str] = ()
) -> click.Command:
    """Return the command that shows the docstring of one name.

    Args:
        key: Name of the group of commands.
        kind: The kind with its article, as in "a curriculum".
        catalog: Finds the docstring, when the command runs.
        example: A name for the help.
        omit: Parameters that users cannot set.
    """

    @click.command(
        "show",
        help=f"Show summary, source and parameters of {kind}.",
        epilog=f"\b\nExample:\n  batchsel {key} show {example}",
    )
    @click.argument("name")
    @json_option
    def show_name(name: str, as_json: bool) -> None:
        description = describe(name, catalog().doc(name))
        for parameter in omit:
            description["parameters"].pop(parameter, None)
        if as_json:
            print_json(description)
        else:
            print_description(description)

    return show_name


def describe(name: str, doc: str) -> dict[str, Any]:
    r"""Return the parts of a docstring by name.

    Args:
        name: The name that the docstring belongs to.
        doc: A docstring, without indentation.

    Example:
        >>> describe("half", "Halves.\n\nSource: folklore.\n\nArgs:\n    x: Number to halve.")
        {'name': 'half', 'summary': 'Halves.', 'source': 'folklore.', 'parameters': {'x': 'Number to halve.'}}
    """
    paragraphs = {label.lower(): text for label, text in docstrings.labeled(doc).items()}
    return {"name": name, "summary": docstrings.summary(doc), **paragraphs, "parameters": docstrings.parameters(doc)}


def print_description(description: Mapping[str, Any]) -> None:
    """Print the result of `describe`."""
    click.echo(f"{description['name']}: {description['summary']}\n")
    paragraphs = {label: text for label, text in description.items() if label not in ("name", "summary", "parameters")}
    for label, text in (paragraphs | description["parameters"]).items():
        click.echo(click.wrap_text(f"{label}: {text}", width=100, initial_indent="  ", subsequent_indent="    "))
