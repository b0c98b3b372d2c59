"""`batchsel schedules`: list, show and plot learning rate schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchsel.cli.support.output import FIGURE, json_option, print_json, save_figure
from batchsel.cli.support.registry_commands import Catalog, describe, list_command, print_description
from batchsel.errors import UsageError

_GROUPS = 5
"""Groups of layers in a figure, where nothing states another number."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel schedules show 'cosine | warmup(0.05)' --plot rate.png",
)
def schedules() -> None:
    """List, show and plot learning rate schedules."""


def _catalog() -> Catalog:
    from batchsel.schedules.registry import REGISTRY

    return Catalog(REGISTRY.entries(), REGISTRY.doc)


schedules.add_command(
    list_command(
        "schedules",
        _catalog,
        note="Multiply them with bars, as in --schedule 'cosine | warmup(0.05)'; or use ./mine.py:rate.",
    )
)


@schedules.command(
    "show",
    epilog="\b\nExamples:\n  batchsel schedules show one_cycle\n"
    "  batchsel schedules show 'cosine | warmup(\"5 passes\")' --passes 90 --plot rate.png",
)
@click.argument("text")
@click.option("--plot", type=FIGURE, help="Plot the curve into FILE.png or FILE.svg.")
@click.option("--passes", type=float, help="Passes of the budget, for schedules that count them.")
@click.option("--batch-size", type=int, help="Samples of an update, for schedules that depend on them.")
@click.option(
    "--groups",
    type=click.IntRange(2),
    help=f"Groups of layers, if these differ in rate.  [default: those of the schedule, else {_GROUPS}]",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=0.1,
    show_default=True,
    help="Rate at a factor of 1, for rates of groups.",
)
@json_option
def show_schedule(
    text: str,
    plot: Path | None,
    passes: float | None,
    batch_size: int | None,
    groups: int | None,
    learning_rate: float,
    as_json: bool,
) -> None:
    """Show summary, formula, source and parameters of the schedules in TEXT, and plot the curve."""
    parts = _parts(text)
    if plot:
        _draw(text, plot, passes, batch_size, groups, learning_rate)
    if as_json:
        print_json({"text": text, "parts": parts, "plot": plot and str(plot)})
        return
    for part in parts:
        print_description(part)
        click.echo()
    if plot:
        click.echo(f"{plot}: {text}")


def _parts(text: str) -> list[dict[str, Any]]:
    from batchsel.schedules.registry import REGISTRY

    REGISTRY.check(text)
    names = [call.name for call in REGISTRY.parse_calls(text) if call.path is None]
    return [describe(name, REGISTRY.doc(name)) for name in dict.fromkeys(names)]


def _draw(
    text: str, path: Path, passes: float | None, batch_size: int | None, groups: int | None, learning_rate: float
) -> None:
    from batchsel.analysis.plots.schedule import layer_schedule_figure, schedule_figure
    from batchsel.core.tf_support.tf_import import import_tensorflow

    import_tensorflow()
    from batchsel.schedules import resolver, schedule_curve

    schedule = resolver.schedule(text)
    if schedule is None:
        raise UsageError("no schedule to plot. Expected a name, as in 'cosine'.")
    bound = schedule_curve.bind(schedule, batch_size, passes, by_layer=True)
    curve = schedule_curve.sample_curve(bound, passes=passes)
    if bound.by_layer:
        stated = bound.layer_grouping
        if groups is not None and stated is not None:
            raise UsageError(f"the schedule states its groups ({stated}). Leave out --groups.")
        groups = groups or (stated if isinstance(stated, int) else _GROUPS)
        rates = schedule_curve.sample_layer_curves(bound, groups, learning_rate, passes=passes)
        save_figure(layer_schedule_figure(curve.progress, rates, text), path)
        return
    label = "factor of the learning rate" if bound.base_learning_rate is None else "learning rate"
    save_figure(schedule_figure(*curve, label=label, title=text), path)
