"""`batchsel bench devices`: compare one run on several devices with one on one device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from batchsel.cli.commands.bench.options import (
    format_spread,
    quick_option,
    rounds_option,
    select_tasks,
    show_progress,
    tasks_option,
)
from batchsel.cli.support.output import json_option, print_columns, print_json


@click.command(epilog="\b\nExample:\n  batchsel bench devices --task cnn --batch-size 1024")
@tasks_option
@click.option("--selector", default="random", show_default=True, help="Selector of all runs.")
@click.option("--batch-size", type=click.IntRange(1), help="Samples per step of all devices together.")
@rounds_option
@quick_option
@json_option
def devices(
    tasks: tuple[str, ...], selector: str, batch_size: int | None, rounds: int, quick: bool, as_json: bool
) -> None:
    """Compare 1, 2, 4, ... devices of this host.

    Reports steps per second; the efficiency: how many times as fast k devices are as one, over k; and the share of the
    time that sums of gradients take, which devices save that keep their own. All take turns in one process. Ratios are
    medians over the rounds. Devices made of the CPU (BATCHSEL_CPU_DEVICES=2) share its cores.
    """
    from batchsel.core.tf_support.tf_import import import_tensorflow

    chosen = select_tasks(tasks, quick)
    import_tensorflow()
    from batchsel.benchmarks import devices as benchmark

    sizes = selector, batch_size
    results = [benchmark.measure(task, 1 if quick else rounds, *sizes, show_progress) for task in chosen]
    if as_json:
        print_json({"quick": quick, "tasks": results})
        return
    for result in results:
        _print(result)
    if quick:
        click.echo("--quick: these figures mean nothing")


def _print(result: Mapping[str, Any]) -> None:
    click.echo(
        f"{result['title']}, n = {result['n']:,}, b = {result['batch_size']}, {result['selector']}, on"
        f" {', '.join(result['devices'])}, medians of {result['rounds']} rounds [min, max]"
    )
    rows: list[tuple[str, ...]] = [("", "steps/s", "as fast as one", "efficiency", "communication")]
    for count, figures in result["counts"].items():
        names = ("times_as_fast", "efficiency", "communication")
        ratios = [format_spread(figures[key], 2) if key in figures else "–" for key in names]
        rows.append((f"  {count}", f"{figures['steps_per_second']:.0f}", *ratios))
    print_columns(rows)
    click.echo()
