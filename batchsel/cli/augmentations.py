"""`batchsel augmentations`: what changes of the training samples there are."""

from __future__ import annotations

import click

from batchsel.cli import docstrings
from batchsel.cli.output import print_columns, print_json

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel augmentations show crop",
)
def augmentations() -> None:
    """List and show augmentations."""


@augmentations.command("list", epilog="\b\nExample:\n  batchsel augmentations list --json")
@_as_json
def list_augmentations(as_json: bool) -> None:
    """List all augmentations."""
    from batchsel.augmentation import registry

    rows = [{"name": name, "summary": docstrings.summary(registry.doc(name))} for name in sorted(registry.names())]
    if as_json:
        print_json({"augmentations": rows})
        return
    print_columns([("NAME", ""), *((row["name"], row["summary"]) for row in rows)])
    click.echo("\nJoined by bars, as in --augment 'crop(4) | flip | erasing(0.25)'; also ./mine.py:augment.")


@augmentations.command("show", epilog="\b\nExample:\n  batchsel augmentations show erasing")
@click.argument("name")
@_as_json
def show_augmentation(name: str, as_json: bool) -> None:
    """Show what an augmentation does, where it comes from, and its parameters."""
    from batchsel.augmentation import registry

    doc = registry.doc(name)
    paragraphs = {label.lower(): text for label, text in docstrings.labelled(doc).items()}
    parameters = docstrings.parameters(doc)
    if as_json:
        print_json({"name": name, "summary": docstrings.summary(doc), **paragraphs, "parameters": parameters})
        return
    click.echo(f"{name}: {docstrings.summary(doc)}\n")
    for label, text in (*paragraphs.items(), *parameters.items()):
        click.echo(click.wrap_text(f"{label}: {text}", width=100, initial_indent="  ", subsequent_indent="    "))
