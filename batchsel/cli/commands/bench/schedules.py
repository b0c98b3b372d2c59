"""`batchsel bench schedules`: measure the cost of schedules, layer-wise rates and blur."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from batchsel.cli.commands.bench.options import format_spread, quick_option, rounds_option, show_progress
from batchsel.cli.support.output import json_option, print_columns, print_json


@click.command(epilog="\b\nExample:\n  batchsel bench schedules --processes 5")
@rounds_option
@quick_option
@click.option(
    "--processes", type=click.IntRange(1), default=1, show_default=True, help="Measure in this many fresh processes."
)
@json_option
def schedules(rounds: int, quick: bool, processes: int, as_json: bool) -> None:
    """Measure the cost of schedules and curricula.

    Compares the loop with them to the loop without. Compilers build the same program differently from process to
    process, so several processes tell more than many rounds in one.
    """
    rounds = 1 if quick else rounds
    measured = _measure_in_processes(processes, rounds, quick)
    if as_json:
        print_json({"quick": quick, "rounds": rounds, "processes": measured})
        return
    rows = [("", "time / without", "its own work / step")]
    for same_task in zip(*measured, strict=True):
        task = same_task[0]
        rows.append((f"{task['title']}, b = {task['batch_size']}", "", ""))
        for arm in task["arms"]:
            figures = [each["arms"][arm] for each in same_task]
            own = sum(each["own"] for each in figures) / processes
            rows.append((f"  {arm}", _format_ratio([each["over"] for each in figures]), f"{own:.4f}"))
    print_columns(rows)
    statistic = "geometric mean of the processes' medians [95 % interval]" if processes > 1 else "median [min, max]"
    click.echo(f"{statistic}; {processes} processes of {rounds} rounds")


def measure_schedules(rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Measure once; runs in a fresh process, which has to import everything itself."""
    from batchsel.core.tf_support.tf_import import import_tensorflow

    import_tensorflow()
    from batchsel.benchmarks import schedules as benchmark

    return benchmark.measure(rounds, quick, show_progress)


def _measure_in_processes(processes: int, rounds: int, quick: bool) -> list[list[dict[str, Any]]]:
    from batchsel.experiments.compare.executors import executor

    measured = []
    with executor("processes", 1, Path()) as pool:
        for number in range(processes):
            show_progress(f"process {number + 1} of {processes}")
            measured.append(pool.submit(measure_schedules, rounds, quick).result())
    return measured


def _format_ratio(processes: Sequence[dict[str, float]]) -> str:
    from batchsel.analysis.stats.estimates import ratio

    if len(processes) == 1:
        return format_spread(processes[0], 3)
    value, low, high = ratio([math.log(over["median"]) for over in processes])
    # Two processes do not support an interval.
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"
