"""`batchsel curricula`: what samples may look like over time."""

from __future__ import annotations

import click

from batchsel.cli import docstrings
from batchsel.cli.output import print_columns, print_json

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel curricula show blur",
)
def curricula() -> None:
    """List and show curricula."""


@curricula.command("list", epilog="\b\nExample:\n  batchsel curricula list --json")
@_as_json
def list_curricula(as_json: bool) -> None:
    """List all curricula."""
    from batchsel.curricula import registry

    rows = [{"name": name, "summary": docstrings.summary(registry.doc(name))} for name in sorted(registry.names())]
    if as_json:
        print_json({"curricula": rows})
        return
    print_columns([("NAME", ""), *((row["name"], row["summary"]) for row in rows)])
    click.echo("\nJoined by bars, as in --curriculum 'blur(until=0.2) | resolution(0.5)'; also ./mine.py:Mine.")


@curricula.command("show", epilog="\b\nExample:\n  batchsel curricula show resolution")
@click.argument("name")
@_as_json
def show_curriculum(name: str, as_json: bool) -> None:
    """Show what a curriculum does, where it comes from, and its parameters."""
    from batchsel.curricula import registry

    doc = registry.doc(name)
    paragraphs = {label.lower(): text for label, text in docstrings.labelled(doc).items()}
    parameters = docstrings.parameters(doc)
    if as_json:
        print_json({"name": name, "summary": docstrings.summary(doc), **paragraphs, "parameters": parameters})
        return
    click.echo(f"{name}: {docstrings.summary(doc)}\n")
    for label, text in (*paragraphs.items(), *parameters.items()):
        click.echo(click.wrap_text(f"{label}: {text}", width=100, initial_indent="  ", subsequent_indent="    "))
