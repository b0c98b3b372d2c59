"""`batchsel bench peers`: the loop beside forms of `model.fit` and PyTorch, each in a process of its own."""

from __future__ import annotations

import statistics

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


@click.command(epilog="\b\nExamples:\n  batchsel bench peers --task cnn\n  batchsel bench peers --rounds 9 --json")
@tasks_option
@rounds_option
@quick_option
@json_option
def peers(tasks: tuple[str, ...], rounds: int, quick: bool, as_json: bool) -> None:
    """Compare the loop with what users would use in its place.

    These are model.fit step by step, with 32 steps per execution, and with these unrolled; and PyTorch, where it is
    installed, with a DataLoader, with indexed tensors and with pictures in the order of its fastest kernels; some in
    bfloat16, too. Each trains in a process of its own; the processes take turns. Ratios are medians over the rounds.
    """
    from batchsel.benchmarks import peers as benchmark
    from batchsel.experiments.run import environment

    results = {
        task.name: benchmark.compare(task.name, 1 if quick else rounds, quick, show_progress)
        for task in select_tasks(tasks, quick)
    }
    machine, versions = environment.machine(), environment.versions()
    if as_json:
        print_json({"machine": machine, "versions": versions, "quick": quick, "microseconds_per_step": results})
        return
    for name, microseconds in results.items():
        click.echo(f"{name}, microseconds a step, and times over random, medians [min, max]")
        rows = []
        for peer, each in microseconds.items():
            ratios = [mine / theirs for mine, theirs in zip(each, microseconds["random"], strict=True)]
            spread = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}
            rows.append((f"  {peer}", f"{statistics.median(each):.1f}", format_spread(spread, 2)))
        print_columns(rows)
        click.echo()
    click.echo(f"{machine['processor']}, {machine['cores']} cores" + ("; --quick: no figures" if quick else ""))
