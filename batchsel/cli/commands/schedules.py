"""`batchsel schedules`: which schedules of the learning rate there are, and what one looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchsel.cli.support.output import check_picture, print_json, save_picture
from batchsel.cli.support.registry_commands import described, print_described, print_names

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
    from batchsel.schedules.registry import REGISTRY

    note = "Multiplied with bars, as in --schedule 'cosine | warmup(0.05)'; also ./mine.py:rate."
    print_names(REGISTRY.targets(), REGISTRY.doc, "schedules", note, as_json)


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
        print_described(part)
        click.echo()
    if plot:
        click.echo(f"{plot}: {text}")


def _parts(text: str) -> list[dict[str, Any]]:
    from batchsel.schedules.registry import REGISTRY

    REGISTRY.check(text)
    named = [call.name for call in REGISTRY.calls(text) if call.path is None]
    return [described(name, REGISTRY.doc(name)) for name in dict.fromkeys(named)]


def _draw(text: str, path: Path, passes: float | None, batch_size: int | None) -> None:
    from batchsel.analysis.plots.schedule import schedule_figure
    from batchsel.training.runtime.tf_import import import_tensorflow

    import_tensorflow()
    from batchsel.schedules import binding, resolver

    bound = binding.bound(resolver.schedule(text), batch_size, passes)
    label = "factor of the learning rate" if bound.base_learning_rate is None else "learning rate"
    save_picture(schedule_figure(*binding.curve(bound, passes=passes), label=label, title=text), path)
