"""`batchsel bench`: the speed of the loop on this machine."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from batchsel.cli.output import print_columns, print_json
from batchsel.errors import UsageError, unknown_name


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  batchsel bench --task mlp\n  batchsel bench --rounds 9 --json",
)
@click.option("--task", "tasks", multiple=True, help="mlp, cnn or lstm; may be given several times. [default: all]")
@click.option("--rounds", type=int, default=5, show_default=True, help="Times that each arm is timed, in turn.")
@click.option("--quick", is_flag=True, help="Few samples and one round: shows that it works, proves nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(tasks: tuple[str, ...], rounds: int, quick: bool, as_json: bool) -> None:
    """Measure the loop against model.fit, selection against plain shuffling, and both against a bare loop.

    All arms run in turn in one process; ratios are medians over the rounds.
    """
    if rounds < 1:
        raise UsageError(f"--rounds must be at least 1, got {rounds}.")
    from batchsel.training.quiet import import_tensorflow

    import_tensorflow()
    from batchsel.experiments import environment
    from batchsel.training import benchmark

    for name in tasks:
        if name not in benchmark.TASKS:
            raise unknown_name("task", name, benchmark.TASKS)
    results = []
    for name in tasks or benchmark.TASKS:
        task = benchmark.TASKS[name]
        if quick:
            n, passes = benchmark.QUICK[name]
            task = dataclasses.replace(task, n=n, passes=passes)
        results.append(benchmark.measure(task, 1 if quick else rounds, lambda line: click.echo(line, err=True)))
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
