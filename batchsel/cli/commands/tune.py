"""`batchsel tune`: the same grid for every arm, on seeds that are never scored."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import click

from batchsel.cli.support import experiment_options
from batchsel.core.ranges import Range
from batchsel.errors import UsageError


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel tune --dataset digits --selector loss_ema --grid learning_rate=0.002,0.005 --grid batch_size=16,32\n"
    "  batchsel tune --dataset digits --selector smart --grid learning_rate=1e-3..1e-1 --grid batch_size=16..128"
    " --trials 24\n"
    "  batchsel compare --dataset digits --selector loss_ema --tuned tuned.toml",
)
@click.option("--dataset", "datasets", multiple=True, required=True, help="Data set; several may be given.")
@click.option("--selector", "selectors", multiple=True, required=True, help="Selector; random is always tuned too.")
@click.option("--grid", "grids", multiple=True, required=True, help="SETTING=VALUE,VALUE,... or SETTING=LOW..HIGH.")
@click.option("--trials", type=click.IntRange(1), help="Trials of each arm, found by Optuna. [default: the whole grid]")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Tuning seeds of each trial.")
@click.option("--target", help="As in 'accuracy>=0.91', or a level of the card: easy, medium, hard.")
@click.option("--budget", help="'8 passes' or '480000 samples' for every run.")
@click.option(
    "--out", type=click.Path(dir_okay=False), default="tuned.toml", show_default=True, help="The best settings."
)
@experiment_options.options
def tune(
    datasets: tuple[str, ...],
    selectors: tuple[str, ...],
    grids: tuple[str, ...],
    seeds: int,
    trials: int | None,
    out: str,
    executor: str | None,
    jobs: int | None,
    data_dir: str | None,
    offline: bool,
    untimed: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Find the best settings of each arm and of shuffling, with the same number of trials.

    Every combination of the grid is tried, or, with --trials, as many as that, found by a search of the same kind for
    every arm; then a setting may also have a range, searched on a logarithmic scale. A trial is scored by the mean time
    to the target, where a run that missed it counts twice. Its seeds start at a million, so that no comparison scores
    on them.
    """
    from batchsel.experiments.compare.experiment import Experiment
    from batchsel.experiments.tuning.tuned_settings import write

    experiment = Experiment(
        name="tune",
        question="Which settings reach the target soonest?",
        datasets=datasets,
        arms={text: {"selector": text} for text in selectors},
        seeds=(0,),
        settings={name: value for name, value in settings.items() if value is not None},
    )
    grid = dict(map(_grid, grids))
    experiment.jobs()
    folder = Path(out).with_suffix("")
    with experiment_options.execution(folder, executor, jobs, data_dir, offline, untimed, experiment.question) as (
        context,
        pool,
    ):
        from batchsel.experiments.tuning import tuning

        trials = tuning.tune(experiment, grid, seeds, context, pool, experiment_options.on_progress, trials)
    write(Path(out), trials)
    _show(trials, Path(out), as_json)


def _grid(text: str) -> tuple[str, list[Any] | Range]:
    name, equals, values = text.partition("=")
    if not equals or not values:
        raise UsageError(f"--grid is SETTING=VALUE,VALUE,... or SETTING=LOW..HIGH, got {text!r}.")
    name = name.strip().replace("-", "_")
    if ".." in values:
        return name, Range.parse(values)
    return name, [_value(value.strip()) for value in values.split(",")]


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _show(trials: Any, out: Path, as_json: bool) -> None:
    from batchsel.cli.support.output import print_columns, print_json

    if as_json:
        print_json(
            {
                "trials": {
                    name: {arm: [trial._asdict() for trial in tried] for arm, tried in arms.items()}
                    for name, arms in trials.items()
                },
                "file": str(out),
            }
        )
        return
    rows = [("data set", "arm", "reached", "score", "settings")]
    for dataset, arms in trials.items():
        for arm, tried in arms.items():
            for place, trial in enumerate(tried):
                settings = ", ".join(f"{key}={value}" for key, value in trial.settings.items())
                mark = "best: " if place == 0 else ""
                rows.append((dataset, arm, f"{trial.reached}/{trial.runs}", f"{trial.score:.4g}", mark + settings))
    print_columns(rows)
    click.echo(f"\nsettings: {out}")
