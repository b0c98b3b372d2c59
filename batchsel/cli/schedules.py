"""`batchsel schedules`: which schedules of the learning rate there are, and what one looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchsel.cli import docstrings
from batchsel.cli.output import check_picture, print_columns, print_json, save_picture

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel schedules show 'cosine | warmup(0.05)' --plot rate.png",
)
def schedules() -> None:
    """List, show and draw schedules of the learning rate."""


@schedules.command("list", epilog="\b\nExample:\n  batchsel schedules list --json")
@_as_json
def list_schedules(as_json: bool) -> None:
    """List all schedules."""
    from batchsel.schedules import registry

    rows = [{"name": name, "summary": docstrings.summary(registry.doc(name))} for name in sorted(registry.names())]
    if as_json:
        print_json({"schedules": rows})
        return
    print_columns([("NAME", ""), *((row["name"], row["summary"]) for row in rows)])
    click.echo("\nMultiplied with bars, as in --schedule 'cosine | warmup(0.05)'; also ./mine.py:rate.")


@schedules.command(
    "show",
    epilog="\b\nExamples:\n  batchsel schedules show one_cycle\n"
    "  batchsel schedules show 'cosine | warmup(\"5 passes\")' --passes 90 --plot rate.png",
)
@click.argument("text")
@click.option("--plot", help="FILE.png or .svg to draw it into.")
@click.option("--passes", type=float, help="Passes of the budget, to draw what counts them.")
@click.option("--batch-size", type=int, help="Samples of an update, to draw what depends on them.")
@_as_json
def show_schedule(text: str, plot: str | None, passes: float | None, batch_size: int | None, as_json: bool) -> None:
    """Show what the schedules in a text do, where they come from, and their parameters; draw the curve."""
    check_picture(plot, "--plot")
    parts = _parts(text)
    if plot:
        _draw(text, Path(plot), passes, batch_size)
    if as_json:
        print_json({"text": text, "parts": parts, "plot": plot})
        return
    for part in parts:
        _print(part)
    if plot:
        click.echo(f"{plot}: {text}")


def _parts(text: str) -> list[dict[str, Any]]:
    from batchsel import calls
    from batchsel.schedules import registry
    from batchsel.schedules.text import check

    check(text)
    named = [call.name for call in calls.read_pipe(text, "") if call.path is None]
    return [_described(name, registry.doc(name)) for name in dict.fromkeys(named)]


def _described(name: str, doc: str) -> dict[str, Any]:
    paragraphs = {label.lower(): words for label, words in docstrings.labelled(doc).items()}
    return {"name": name, "summary": docstrings.summary(doc), **paragraphs, "parameters": docstrings.parameters(doc)}


def _print(part: dict[str, Any]) -> None:
    click.echo(f"{part['name']}: {part['summary']}\n")
    paragraphs = {label: words for label, words in part.items() if label not in ("name", "summary", "parameters")}
    for label, words in (paragraphs | part["parameters"]).items():
        click.echo(click.wrap_text(f"{label}: {words}", width=100, initial_indent="  ", subsequent_indent="    "))
    click.echo()


def _draw(text: str, path: Path, passes: float | None, batch_size: int | None) -> None:
    from batchsel.analysis.schedule_plot import schedule_figure
    from batchsel.training.quiet import import_tensorflow

    import_tensorflow()
    from batchsel.schedules import binding, resolver

    bound = binding.bound(resolver.schedule(text), batch_size, passes)
    label = "factor of the learning rate" if bound.stated_rate is None else "learning rate"
    save_picture(schedule_figure(*binding.curve(bound, passes=passes), label=label, title=text), path)
