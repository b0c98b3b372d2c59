"""`batchsel bench loop`: compare the training loop with `model.fit` and with a bare loop."""

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


@click.command(epilog="\b\nExamples:\n  batchsel bench loop --task mlp\n  batchsel bench loop --rounds 9 --json")
@tasks_option
@rounds_option
@quick_option
@json_option
def loop(tasks: tuple[str, ...], rounds: int, quick: bool, as_json: bool) -> None:
    """Compare the loop with model.fit.

    Also compares selection with plain shuffling, and both with a bare loop. All arms run in turn in one process. Ratios
    are medians over the rounds.
    """
    from batchsel.core.tf_support.tf_import import import_tensorflow

    chosen = select_tasks(tasks, quick)
    import_tensorflow()
    from batchsel.benchmarks import loop as benchmark
    from batchsel.experiments.run import environment

    results = [benchmark.measure(task, 1 if quick else rounds, show_progress) for task in chosen]
    machine, versions = environment.machine(), environment.versions()
    if as_json:
        print_json({"machine": machine, "versions": versions, "quick": quick, "tasks": results})
        return
    for result in results:
        _print(result)
    click.echo(
        f"{machine['processor']}, {machine['cores']} cores; TensorFlow {versions['tensorflow']},"
        f" Keras {versions['keras']}" + ("; --quick: these figures mean nothing" if quick else "")
    )


def _print(result: Mapping[str, Any]) -> None:
    click.echo(
        f"{result['title']}, n = {result['n']:,}, b = {result['batch_size']}, {result['passes']} passes a call,"
        f" medians of {result['rounds']} rounds [min, max]"
    )
    rows: list[tuple[str, ...]] = [("", "us/step", "as fast as fit", "time / random", "time / floor")]
    keys = ("times_as_fast_as_fit", "time_over_random", "time_over_floor")
    for name, figures in result["arms"].items():
        ratios = [format_spread(figures[key], 2) for key in keys]
        rows.append((f"  {name}", f"{figures['microseconds_per_step']:.1f}", *ratios))
    print_columns(rows)
    click.echo()
