"""`batchsel compare`: selectors against shuffling, on paired seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from batchsel.cli.support.experiment_options import (
    Execution,
    execution_options,
    open_execution,
    parse_shard,
    print_progress,
    report_result,
)
from batchsel.cli.support.run_settings import setting_options
from batchsel.errors import UsageError

_SMALL = "all-small"
_ALL = "all"
_QUICK_SEEDS = 3
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
@click.option("--quick", is_flag=True, help=f"First look on {_QUICK_SEEDS} seeds, which proves nothing.")
@click.option("--tuned", type=click.Path(dir_okay=False), help="Settings of each arm, as `batchsel tune` wrote them.")
@click.option("--controls/--no-controls", default=True, help="Run the controls. [default: on]")
@click.option("--shard", help="Only this part of the seeds, as in 3/64; join the records with cat.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the records. [default: runs/compare-...]")
@setting_options(skip=("dataset", "selector", "seed"))
@execution_options
def compare(
    datasets: tuple[str, ...],
    selectors: tuple[str, ...],
    seeds: int | None,
    quick: bool,
    tuned: str | None,
    controls: bool,
    shard: str | None,
    out: str | None,
    settings: dict[str, Any],
    execution: Execution,
    as_json: bool,
) -> None:
    """Compare selectors with shuffling: does one reach the target sooner?

    All arms run on the same seeds, in random order within a seed; then the controls: shuffling once more, and
    shuffling with its schedule cut to the samples that each arm needed. Recorded runs are not run again, so an
    interrupted comparison continues when the command is called again. Settings are those of all arms.
    """
    from batchsel.experiments.compare.experiment import CONTROLS, Experiment

    if quick and seeds:
        raise UsageError(f"--quick means {_QUICK_SEEDS} seeds; leave out --seeds.")
    arms = _arms(selectors)
    experiment = Experiment(
        name="compare",
        question=f"Does {' or '.join(arms)} reach the target sooner than shuffling?",
        datasets=_datasets(datasets),
        arms=arms,
        seeds=range(seeds or (_QUICK_SEEDS if quick else 10)),
        settings=settings,
        controls=CONTROLS if controls else (),
        tuned=_read_tuned(tuned, settings),
    )
    part = parse_shard(shard)
    experiment.jobs()  # every setting is checked before TensorFlow is imported
    folder = Path(out or f"runs/compare-{_folder_name(experiment.datasets)}-{experiment.digest()}")
    with open_execution(execution, folder, experiment.question) as (context, pool):
        from batchsel.experiments.compare.run_experiment import run_experiment

        result = run_experiment(experiment, context, pool, print_progress, part)
    report_result(result, folder, as_json, quick)


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
