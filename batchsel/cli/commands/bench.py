"""`batchsel bench`: the speed of the loop on this machine."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from batchsel.cli.support.output import print_columns, print_json
from batchsel.errors import UsageError, unknown_name


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  batchsel bench --task mlp\n  batchsel bench --rounds 9 --json",
)
@click.option("--task", "tasks", multiple=True, help="mlp, cnn or lstm; may be given several times. [default: all]")
@click.option("--rounds", type=int, default=5, show_default=True, help="Times that each arm is timed, in turn.")
@click.option("--quick", is_flag=True, help="Few samples and one round: shows that it works, proves nothing.")
@click.option("--streaming", is_flag=True, help="Samples read from a file against samples in memory, instead.")
@click.option("--schedules", is_flag=True, help="What schedules, rates by layer and blur cost, instead.")
@click.option(
    "--processes", type=click.IntRange(1), help="With --schedules: measure in this many fresh ones. [default: 1]"
)
@click.option("--planning", is_flag=True, help="What planning costs, by method and size of the data set, instead.")
@click.option(
    "--n", "sizes", type=click.IntRange(1), multiple=True, help="With --planning: samples. [default: 10^4 to 10^7]"
)
@click.option("--selector", "selectors", multiple=True, help="With --planning: selector. [default: all that remember]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(
    tasks: tuple[str, ...],
    rounds: int,
    quick: bool,
    streaming: bool,
    schedules: bool,
    processes: int | None,
    planning: bool,
    sizes: tuple[int, ...],
    selectors: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure the loop against model.fit, selection against plain shuffling, and both against a bare loop.

    All arms run in turn in one process; ratios are medians over the rounds. With --planning it measures the planning
    alone: microseconds for each chosen sample, seconds a pass, bytes a sample, and memory at the peak of a plan. With
    --streaming it measures what reading samples from the disk costs, and the memory that a large set takes. With
    --schedules it measures the loop with schedules and curricula against the loop without; what a compiler makes of a
    program differs from process to process, so several of them (--processes) say more than many rounds in one.
    """
    if processes is not None and not schedules:
        raise UsageError("--processes belongs to --schedules.")
    if planning:
        _planning(selectors, sizes, as_json)
        return
    if sizes or selectors:
        raise UsageError("--n and --selector belong to --planning.")
    if rounds < 1:
        raise UsageError(f"--rounds must be at least 1, got {rounds}.")
    if (streaming or schedules) and tasks:
        raise UsageError(f"--task does not belong to --{'streaming' if streaming else 'schedules'}.")
    if schedules:
        _schedules(processes or 1, 1 if quick else rounds, quick, as_json)
        return
    from batchsel.training.runtime.tf_import import import_tensorflow

    import_tensorflow()
    if streaming:
        _streaming(rounds, quick, as_json)
        return
    from batchsel.benchmarks import loop
    from batchsel.experiments.run import environment

    for name in tasks:
        if name not in loop.TASKS:
            raise unknown_name("task", name, loop.TASKS)
    results = []
    for name in tasks or loop.TASKS:
        task = loop.TASKS[name]
        if quick:
            n, passes = loop.QUICK[name]
            task = dataclasses.replace(task, n=n, passes=passes)
        results.append(loop.measure(task, 1 if quick else rounds, lambda line: click.echo(line, err=True)))
    facts = {"machine": environment.machine(), "versions": environment.versions()}
    if as_json:
        print_json({**facts, "quick": quick, "tasks": results})
        return
    for result in results:
        _print(result)
    machine, versions = facts["machine"], facts["versions"]
    click.echo(
        f"{machine['processor']}, {machine['cores']} cores; TensorFlow {versions['tensorflow']},"
        f" Keras {versions['keras']}" + ("; --quick: no figure here means anything" if quick else "")
    )


def _planning(selectors: tuple[str, ...], sizes: tuple[int, ...], as_json: bool) -> None:
    from batchsel.selectors import text

    for selector in selectors:
        text.check(selector)
    from batchsel.training.runtime.tf_import import import_tensorflow

    import_tensorflow()
    from batchsel.benchmarks import planning

    wanted = selectors or planning.history_methods()
    costs = planning.planning_costs(wanted, sizes or planning.SIZES)
    if as_json:
        print_json({"planning": [cost._asdict() for cost in costs]})
        return
    rows = [("selector", "n", "us a chosen sample", "s a pass", "bytes a sample", "peak MB")]
    for cost in costs:
        each, a_pass = f"{cost.microseconds:.4f}", f"{cost.seconds_a_pass:.3g}"
        peak = "" if cost.peak_megabytes is None else f"{cost.peak_megabytes:.0f}"
        rows.append((cost.selector, f"{cost.n:,}", each, a_pass, f"{cost.bytes_a_sample:.0f}", peak))
    print_columns(rows)


def _schedules(processes: int, rounds: int, quick: bool, as_json: bool) -> None:
    from batchsel.experiments.compare.executors import executor

    measured = []
    with executor("processes", 1, Path()) as pool:
        for number in range(processes):
            click.echo(f"process {number + 1} of {processes}", err=True)
            measured.append(pool.submit(measure_schedules, rounds, quick).result())
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
            rows.append((f"  {arm}", _over([each["over"] for each in figures]), f"{own:.4f}"))
    print_columns(rows)
    what = "geometric mean of the processes' medians [95 % interval]" if processes > 1 else "median [min, max]"
    click.echo(f"{what}; {processes} processes of {rounds} rounds")


def measure_schedules(rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Measures in a process of its own, which has to import it all.

    Args:
        rounds: As for `batchsel.benchmarks.schedules.measure`.
        quick: Likewise.
    """
    from batchsel.training.runtime.tf_import import import_tensorflow

    import_tensorflow()
    from batchsel.benchmarks import schedules

    return schedules.measure(rounds, quick, lambda line: click.echo(line, err=True))


def _over(processes: Sequence[dict[str, float]]) -> str:
    from batchsel.analysis.stats.estimates import ratio

    if len(processes) == 1:
        return "{median:.3f} [{min:.3f}, {max:.3f}]".format(**processes[0])
    value, low, high = ratio([math.log(over["median"]) for over in processes])
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _streaming(rounds: int, quick: bool, as_json: bool) -> None:
    from batchsel.benchmarks import streaming

    sizes = {"rounds": 1, "n": 2000} if quick else {"rounds": rounds}
    speed = streaming.measure_speed(**sizes, on_progress=lambda line: click.echo(line, err=True))
    memory = streaming.measure_memory(1 << 22) if quick else streaming.measure_memory()
    if as_json:
        print_json({"quick": quick, "speed": speed, "memory": memory})
        return
    share = "{median:.3f} [{min:.3f}, {max:.3f}]".format(**speed["share_of_the_speed_in_memory"])
    rise = memory["rise_bytes"]
    print_columns(
        [
            ("speed", f"{share} of that in memory, median of {speed['rounds']} rounds [min, max], n = {speed['n']:,}"),
            (
                "set",
                f"{memory['set_bytes'] / 1e6:.0f} MB, read through a buffer of {memory['buffer_bytes'] / 1e6:.0f} MB",
            ),
            ("memory", "not known here" if rise is None else f"rose by {rise / 1e6:.0f} MB during a pass over it"),
        ]
    )


def _print(result: dict[str, Any]) -> None:
    click.echo(
        f"{result['title']}, n = {result['n']:,}, b = {result['batch_size']}, {result['passes']} passes a call,"
        f" medians of {result['rounds']} rounds [min, max]"
    )
    rows = [("", "us/step", "as fast as fit", "time / random", "time / floor")]
    for name, figures in result["arms"].items():
        ratios = [
            "{median:.2f} [{min:.2f}, {max:.2f}]".format(**figures[key])
            for key in ("times_as_fast_as_fit", "time_over_random", "time_over_floor")
        ]
        rows.append((f"  {name}", f"{figures['microseconds_per_step']:.1f}", *ratios))
    print_columns(rows)
    click.echo()
