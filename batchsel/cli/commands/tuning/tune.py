"""`batchsel tune`: the same grid for every arm, on seeds that are never scored."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.experiment_options import Execution, execution_options, open_execution, print_progress
from batchsel.cli.support.output import OutputFile
from batchsel.cli.support.run_settings import setting_options
from batchsel.cli.support.user_data import Columns, column_options
from batchsel.core.parameters.ranges import Range
from batchsel.errors import UsageError

if TYPE_CHECKING:
    from batchsel.experiments.tuning.tuning import Trials


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel tune --dataset digits --selector loss_ema --grid learning_rate=0.002,0.005 --grid batch_size=16,32\n"
    "  batchsel tune --dataset digits --selector smart --grid learning_rate=1e-3..1e-1 --grid batch_size=16..128"
    " --trials 24\n"
    "  batchsel compare --dataset digits --selector loss_ema --tuned tuned.toml",
)
@click.option("--dataset", "datasets", multiple=True, required=True, help="Data set; may be repeated.")
@click.option("--selector", "selectors", multiple=True, required=True, help="Selector; random is always tuned too.")
@click.option("--grid", "grids", multiple=True, required=True, help="SETTING=VALUE,VALUE,... or SETTING=LOW..HIGH.")
@click.option("--trials", type=click.IntRange(1), help="Trials of each arm, found by Optuna. [default: the whole grid]")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Tuning seeds of each trial.")
@click.option(
    "--out",
    type=OutputFile(),
    default="tuned.toml",
    show_default=True,
    help="File for the best settings.",
)
@column_options
@setting_options(skip=("dataset", "selector", "seed"))
@execution_options
def tune(
    datasets: tuple[str, ...],
    selectors: tuple[str, ...],
    grids: tuple[str, ...],
    seeds: int,
    trials: int | None,
    out: Path,
    columns: Columns,
    settings: dict[str, Any],
    execution: Execution,
    as_json: bool,
) -> None:
    """Find the best settings of each arm and of shuffling, with the same number of trials.

    Every combination of the grid is tried, or, with --trials, that many, found by a search of the same kind for every
    arm; a setting may then also have a range, searched on a logarithmic scale. A trial ends at its target and is
    scored by the mean time to it, where a run that missed it counts twice. Its seeds start at a million, so that no
    comparison scores on them. Settings are those of all trials.
    """
    from batchsel.experiments.compare.experiment import Experiment
    from batchsel.experiments.tuning.tuned_settings import write

    grid = dict(map(_parse_grid, grids))
    _check_settings(settings, grid)
    experiment = Experiment(
        name="tune",
        question="Which settings reach the target soonest?",
        datasets=tuple(map(columns.add_to, datasets)),
        arms={text: {"selector": text} for text in selectors},
        seeds=(0,),
        settings=settings,
    )
    experiment.jobs()  # every setting is checked before TensorFlow is imported
    with open_execution(execution, _trials_folder(out), experiment.question) as (context, pool):
        from batchsel.experiments.tuning import tuning

        tried = tuning.tune(experiment, grid, seeds, context, pool, print_progress, trials)
    write(out, tried)
    _print_trials(tried, out, as_json)


def _check_settings(settings: dict[str, Any], grid: dict[str, Any]) -> None:
    if settings.get("run_on"):
        raise UsageError("a trial ends at its target. Leave --run-on out.")
    for name in settings:
        if name in grid:
            raise UsageError(f"{name} is in the grid. Leave --{name.replace('_', '-')} out.")


def _parse_grid(text: str) -> tuple[str, list[Any] | Range]:
    name, equals, values = text.partition("=")
    if not equals or not values:
        raise UsageError(f"--grid is SETTING=VALUE,VALUE,... or SETTING=LOW..HIGH, got {text!r}.")
    name = name.strip().replace("-", "_")
    if ".." in values:
        return name, Range.parse(values)
    return name, [_parse_value(value.strip()) for value in values.split(",")]


def _parse_value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _trials_folder(out: Path) -> Path:
    from batchsel.core.filesystem.atomic_write import is_stream

    if is_stream(out):
        return Path("tuned")
    return out.with_suffix("") if out.suffix else out.with_name(f"{out.name}-trials")


def _print_trials(trials: Trials, out: Path, as_json: bool) -> None:
    from batchsel.cli.support.output import print_columns, print_json

    if as_json:
        values = {
            name: {arm: [trial._asdict() for trial in tried] for arm, tried in arms.items()}
            for name, arms in trials.items()
        }
        print_json({"trials": values, "file": str(out)})
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
