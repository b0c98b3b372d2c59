"""`batchsel selectors`: list, show and check selectors, and write the page of all selectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchsel.cli.support import docstrings
from batchsel.cli.support.output import json_option, print_columns, print_json


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  batchsel selectors show loss_ema\n  batchsel selectors check ./mine.py:Mine",
    invoke_without_command=True,
)
@click.pass_context
def selectors(context: click.Context) -> None:
    """List, show and check selectors, and the parts of pipes."""
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


@selectors.command(
    "show", epilog="\b\nExamples:\n  batchsel selectors show smart\n  batchsel selectors show ./mine.py:Mine"
)
@click.argument("name")
@json_option
def show_selector(name: str, as_json: bool) -> None:
    """Show formula, parameters, cost and source of a selector, also of one in a file, ./mine.py:Mine."""
    in_file = name.rstrip().endswith(".py") or ".py:" in name
    found = _describe_file(name) if in_file else _describe_name(name)
    if as_json:
        if not in_file:
            del found["defined"]
        print_json(found)
        return
    click.echo(f"{found['name']} ({found['family']}): {found['summary']}\n")
    for title in docstrings.LABELS:
        if title.lower() in found:
            text = f"{title}: {found[title.lower()]}"
            click.echo(click.wrap_text(text, width=100, subsequent_indent="  "))
    click.echo("\nParameters" if found["parameters"] else "\nNo parameters")
    for parameter, text in found["parameters"].items():
        click.echo(click.wrap_text(f"{parameter}: {text}", width=100, initial_indent="  ", subsequent_indent="    "))
    click.echo(f"\nDefined in {found['defined']}")


def _describe_name(name: str) -> dict[str, Any]:
    from batchsel.selectors.registry import REGISTRY

    entry = REGISTRY.find(name)
    return _describe(name, entry.family, entry.doc(), REGISTRY.signature(name), entry.target.partition(":")[0])


def _describe_file(text: str) -> dict[str, Any]:
    import inspect

    from batchsel.core import call_syntax
    from batchsel.core.tf_support.tf_import import import_tensorflow

    import_tensorflow()
    from batchsel.selectors.text import with_name

    call = with_name(call_syntax.parse_call(text))
    target = call.load(lambda name: None)
    signature = inspect.signature(target) if callable(target) else None
    own = target.__doc__ if callable(target) else type(target).__doc__
    # A dataclass without a docstring has its signature as one.
    doc = "" if own is None or own.startswith(f"{call.name}(") else inspect.cleandoc(own)
    return _describe(call.name, "from a file", doc, signature, str(call.path))


def _describe(name: str, family: str, doc: str, signature: Any, place: str) -> dict[str, Any]:
    """Return everything that is shown of a selector; parameters without a text show their default."""
    parameters = docstrings.parameters(doc)
    known = {} if signature is None else signature.parameters
    shown = {key: parameters.get(key) or _describe_default(each) for key, each in known.items()}
    facts = {key.lower(): value for key, value in docstrings.labeled(doc).items()}
    return {
        "name": name,
        "family": family,
        "summary": docstrings.summary(doc),
        **facts,
        "parameters": {**{key: text for key, text in parameters.items() if key not in shown}, **shown},
        "defined": place,
    }


def _describe_default(parameter: Any) -> str:
    return "required" if parameter.default is parameter.empty else f"{parameter.default!r} by default"


@selectors.command(
    "check",
    epilog="\b\nExamples:\n  batchsel selectors check ./mine.py:Mine\n  batchsel selectors check './mine.py:mine(0.5)'",
)
@click.argument("selector")
@json_option
@click.pass_context
def check(context: click.Context, selector: str, as_json: bool) -> None:
    """Check a selector on made-up data: a line for each property. Exit code 1 if one does not hold."""
    from batchsel.core.tf_support.tf_import import import_tensorflow
    from batchsel.selectors import text

    text.check(selector)
    import_tensorflow()
    from batchsel.testing.properties import selector_properties

    found = []
    for each in selector_properties(selector):
        found.append(each)
        if not as_json:
            mark = {True: "ok", False: "FAILED", None: "-"}[each.holds]
            click.echo(f"{each.name:<13} {mark:<7} {each.text}")
    failed = [each.name for each in found if each.holds is False]
    if as_json:
        print_json({"selector": selector, "properties": [each._asdict() for each in found], "failed": failed})
    context.exit(1 if failed else 0)


@selectors.command(
    "page", epilog="\b\nExample:\n  batchsel selectors page experiments/methods_on_digits > docs/selectors.md"
)
@click.argument("runs", nargs=-1, type=click.Path())
def page(runs: tuple[str, ...]) -> None:
    """Print the page of all selectors as Markdown, with results from the records in RUNS."""
    from batchsel.cli.support.selectors_page import render_page
    from batchsel.experiments.run import records

    click.echo(render_page(records.read_typed(*map(Path, runs)).runs if runs else ()), nl=False)
