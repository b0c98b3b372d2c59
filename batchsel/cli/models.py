"""`batchsel models`: what models there are."""

from __future__ import annotations

import click

from batchsel.cli import docstrings
from batchsel.cli.output import print_columns, print_json

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel models show cnn",
)
def models() -> None:
    """List and show models."""


@models.command("list", epilog="\b\nExample:\n  batchsel models list --json")
@_as_json
def list_models(as_json: bool) -> None:
    """List all models."""
    from batchsel import models as library

    rows = [{"name": name, "summary": docstrings.summary(library.doc(name))} for name in sorted(library.names())]
    if as_json:
        print_json({"models": rows})
        return
    print_columns([("NAME", ""), *((row["name"], row["summary"]) for row in rows)])
    click.echo("\nSizes are given in parentheses, as in --model 'mlp(hidden=[128, 64])'.")


@models.command("show", epilog="\b\nExample:\n  batchsel models show mlp")
@click.argument("name")
@_as_json
def show_model(name: str, as_json: bool) -> None:
    """Show what a model is and its parameters."""
    from batchsel import models as library

    doc = library.doc(name)
    parameters = {
        key: text for key, text in docstrings.parameters(doc).items() if key not in ("input_shape", "outputs")
    }
    if as_json:
        print_json({"name": name, "summary": docstrings.summary(doc), "parameters": parameters})
        return
    click.echo(f"{name}: {docstrings.summary(doc)}\n")
    for parameter, text in parameters.items():
        click.echo(click.wrap_text(f"{parameter}: {text}", width=100, initial_indent="  ", subsequent_indent="    "))
