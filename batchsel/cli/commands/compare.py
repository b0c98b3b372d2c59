"""`batchsel compare`: selectors against shuffling, on paired seeds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.experiment_options import (
    Execution,
    execution_options,
    open_execution,
    parse_shard,
    print_progress,
    report_result,
)
from batchsel.cli.support.experiment_plan import describe_power
from batchsel.cli.support.run_settings import setting_options
from batchsel.cli.support.user_data import Columns, column_options
from batchsel.errors import UsageError

if TYPE_CHECKING:
    from batchsel.experiments.compare.experiment import Experiment
    from batchsel.experiments.compare.run_experiment import Result

_SMALL = "all-small"
_ALL = "all"
_QUICK_SEEDS = 3
_SEEDS = 10
_SMALL_SAMPLES = 5000


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel compare\n"
    "  batchsel compare --dataset digits --selector loss_ema --selector smart --seeds 10\n"
    "  batchsel compare --dataset all-small --selector 'loss_ema | warmup(2)' --target easy",
)
@click.option("--dataset", "datasets", multiple=True, help="Data set; may be repeated; all-small for all small ones.")
@click.option("--selector", "selectors", multiple=True, help="Selector; may be repeated; all for all of them.")
@click.option("--seeds", type=click.IntRange(1), help="Paired seeds, 0 to N - 1. [default: 10]")
@click.option(
    "--max-seeds", type=click.IntRange(1), help="Add --seeds at a time, up to this number, until the verdict is clear."
)
@click.option("--quick", is_flag=True, help=f"First look on {_QUICK_SEEDS} seeds, which proves nothing.")
@click.option("--tuned", type=click.Path(dir_okay=False), help="Settings of each arm, as `batchsel tune` wrote them.")
@click.option("--controls/--no-controls", default=True, help="Run the controls. [default: on]")
@click.option("--shard", help="Only this part of the seeds, as in 3/64; join the records with cat.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the records. [default: runs/compare-...]")
@column_options
@setting_options(skip=("dataset", "selector", "seed"))
@execution_options
def compare(
    datasets: tuple[str, ...],
    selectors: tuple[str, ...],
    seeds: int | None,
    max_seeds: int | None,
    quick: bool,
    tuned: str | None,
    controls: bool,
    shard: str | None,
    out: str | None,
    columns: Columns,
    settings: dict[str, Any],
    execution: Execution,
    as_json: bool,
) -> None:
    """Compare selectors with shuffling: does one reach the target sooner?

    All arms run on the same seeds, in random order within a seed; then the controls: shuffling once more, and
    shuffling with its schedule cut to the samples that each arm needed. Recorded runs are not run again, so an
    interrupted comparison continues when the command is called again. Settings are those of all arms.

    With --max-seeds, more seeds are added until every arm is faster or slower or the largest number is reached. Each
    look at the results then uses a part of the error only, so that over all looks no more than 5 % of experiments
    claim a difference that is none.
    """
    from batchsel.experiments.compare.experiment import CONTROLS, Experiment

    if quick and seeds:
        raise UsageError(f"--quick means {_QUICK_SEEDS} seeds; leave out --seeds.")
    if max_seeds is not None and (quick or shard or max_seeds <= (seeds or _SEEDS)):
        raise UsageError(
            f"--max-seeds adds --seeds ({seeds or _SEEDS}) at a time: give a larger number, and neither --quick nor"
            " --shard."
        )
    arms = _arms(selectors)
    experiment = Experiment(
        name="compare",
        question=f"Does {' or '.join(arms)} reach the target sooner than shuffling?",
        datasets=tuple(map(columns.add_to, _datasets(datasets))),
        arms=arms,
        seeds=range(seeds or (_QUICK_SEEDS if quick else _SEEDS)),
        settings=settings,
        controls=CONTROLS if controls else (),
        tuned=_read_tuned(tuned, settings),
    )
    part = parse_shard(shard)
    experiment.jobs()  # every setting is checked before TensorFlow is imported
    folder = Path(out or f"runs/compare-{_folder_name(experiment.datasets)}-{experiment.digest()}")
    for line in describe_power(
        dataclasses.replace(experiment, seeds=range(max_seeds or len(experiment.seeds))), folder
    ):
        click.echo(line, err=True)
    with open_execution(execution, folder, experiment.question) as (context, pool):
        from batchsel.experiments.compare.run_experiment import run_experiment

        if max_seeds is not None:
            looks = {"block": len(experiment.seeds), "most": max_seeds}
            context = dataclasses.replace(context, about={**context.about, "looks": looks})
            experiment = _add_seeds(
                experiment, max_seeds, lambda stage: run_experiment(stage, context, pool, print_progress)
            )
        result = run_experiment(experiment, context, pool, print_progress, part)
    report_result(result, folder, as_json, quick)


def _add_seeds(experiment: Experiment, most: int, run: Callable[[Experiment], Result]) -> Experiment:
    """Run blocks of seeds until every verdict is clear, and return the experiment with the seeds that it took.

    Controls that depend on the arms follow at the end: their budgets depend on all seeds.
    """
    from batchsel.analysis.report.results import compute_results
    from batchsel.analysis.sequential import is_decided, look_confidence, look_sizes
    from batchsel.experiments.run.parse_record import parse_failures, parse_runs

    block = len(experiment.seeds)
    again = tuple(name for name in experiment.controls if name == "again")
    for seeds in look_sizes(block, most):
        experiment = dataclasses.replace(experiment, seeds=range(seeds))
        if seeds == most:
            break
        result = run(dataclasses.replace(experiment, controls=again))
        analysis = compute_results(parse_runs(result.records), parse_failures(result.failures)).analysis
        open_arms = [
            item.arm.arm for item in analysis.comparisons if item.arm.role == "arm" and not is_decided(item.verdict)
        ]
        level = 1 - look_confidence(seeds, block, most)
        print_progress(
            f"{seeds} of at most {most} seeds, p up to {level:.2g} counts:"
            f" {'not clear yet for ' + ', '.join(dict.fromkeys(open_arms)) if open_arms else 'every verdict is clear'}"
        )
        if not open_arms:
            break
    return experiment


def _arms(selectors: tuple[str, ...]) -> dict[str, dict[str, str]]:
    if _ALL in selectors:
        from batchsel.selectors.registry import REGISTRY

        methods = [
            entry.name for entry in REGISTRY.entries().values() if entry.family in ("order", "history", "candidates")
        ]
        selectors = tuple(name for name in methods if name not in ("random", "mapping"))  # which select alike
    return {text: {"selector": text} for text in selectors or ("loss_ema", "smart")}


def _datasets(names: tuple[str, ...]) -> tuple[str, ...]:
    from batchsel import cards

    small = [name for name in cards.names("datasets") if _is_small(cards.load("datasets", name))]
    expanded = [part for name in names or ("digits",) for part in (small if name == _SMALL else [name])]
    return tuple(dict.fromkeys(expanded))


def _is_small(card: Any) -> bool:
    return card.task != "language_model" and card.sizes.total <= _SMALL_SAMPLES


def _folder_name(datasets: Sequence[str]) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(datasets))[:40].strip("-")


def _read_tuned(path: str | None, settings: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    from batchsel.experiments.tuning.tuned_settings import read

    tuned = {} if path is None else read(Path(path))
    for name in settings:
        if any(name in arm for arms in tuned.values() for arm in arms.values()):
            raise UsageError(f"{path} holds a tuned {name} for each arm. Leave --{name.replace('_', '-')} out.")
    return tuned
