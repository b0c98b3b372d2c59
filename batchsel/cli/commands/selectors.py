"""`batchsel selectors`: list and show selectors, and write the page of all selectors."""

from __future__ import annotations

from pathlib import Path

import click

from batchsel.cli.support import docstrings
from batchsel.cli.support.output import json_option, print_columns, print_json


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel selectors show loss_ema",
    invoke_without_command=True,
)
@click.pass_context
def selectors(context: click.Context) -> None:
    """List and show selectors, and the parts of pipes."""
    if context.invoked_subcommand is None:
        context.invoke(list_selectors)


@selectors.command("list", epilog="\b\nExample:\n  batchsel selectors list --json")
@json_option
def list_selectors(as_json: bool) -> None:
    """List all selectors, modifiers and draws."""
    from batchsel.selectors.registry import REGISTRY

    rows = [
        {"name": entry.name, "family": entry.family, "summary": docstrings.summary(entry.doc())}
        for entry in REGISTRY.entries().values()
    ]
    if as_json:
        print_json({"selectors": rows})
        return
    print_columns([("NAME", "FAMILY", ""), *((row["name"], row["family"], row["summary"]) for row in rows)])
    click.echo("\nA pipe is score | modifiers | draw, as in 'loss_ema(0.9) | warmup(1) | mix(uniform=0.1)'.")


@selectors.command("show", epilog="\b\nExample:\n  batchsel selectors show smart")
@click.argument("name")
@json_option
def show_selector(name: str, as_json: bool) -> None:
    """Show formula, parameters, cost and source of a selector."""
    from batchsel.selectors.registry import REGISTRY

    entry = REGISTRY.find(name)
    doc = entry.doc()
    facts, parameters = docstrings.labeled(doc), docstrings.parameters(doc)
    if as_json:
        facts = {key.lower(): value for key, value in facts.items()}
        summary = docstrings.summary(doc)
        print_json({"name": name, "family": entry.family, "summary": summary, **facts, "parameters": parameters})
        return
    click.echo(f"{name} ({entry.family}): {docstrings.summary(doc)}\n")
    for title, text in facts.items():
        click.echo(click.wrap_text(f"{title}: {text}", width=100, subsequent_indent="  "))
    click.echo("\nParameters" if parameters else "\nNo parameters")
    for parameter, text in parameters.items():
        click.echo(click.wrap_text(f"{parameter}: {text}", width=100, initial_indent="  ", subsequent_indent="    "))
    click.echo(f"\nDefined in {entry.target.partition(':')[0]}")


@selectors.command(
    "page", epilog="\b\nExample:\n  batchsel selectors page experiments/methods_on_digits > docs/selectors.md"
)
@click.argument("runs", nargs=-1, type=click.Path())
def page(runs: tuple[str, ...]) -> None:
    """Print the page of all selectors as Markdown, with results from the records in RUNS."""
    from batchsel.cli.support.selectors_page import render_page
    from batchsel.experiments.run import records

    click.echo(render_page(records.read_typed(*map(Path, runs)).runs if runs else ()), nl=False)
