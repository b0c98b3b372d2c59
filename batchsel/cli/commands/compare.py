"""`batchsel compare`: selectors against shuffling, on paired seeds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from batchsel.cli.support import experiment_options
from batchsel.errors import UsageError

_SMALL = "all-small"
_ALL = "all"
_QUICK_SEEDS = 3


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel compare\n"
    "  batchsel compare --dataset digits --selector loss_ema --selector smart --seeds 10\n"
    "  batchsel compare --dataset all-small --selector 'loss_ema | warmup(2)' --target easy",
)
@click.option("--dataset", "datasets", multiple=True, help="Data set; several may be given; all-small for all tables.")
@click.option("--selector", "selectors", multiple=True, help="Selector; several may be given; all for every one.")
@click.option("--seeds", type=click.IntRange(1), help="Paired seeds, 0 to N - 1. [default: 10]")
@click.option("--quick", is_flag=True, help=f"A first look on {_QUICK_SEEDS} seeds; proves nothing.")
@click.option("--target", help="As in 'accuracy>=0.91', or a level of the card: easy, medium, hard.")
@click.option("--budget", help="'8 passes' or '480000 samples' for every run.")
@click.option("--model", help="Model of all runs.")
@click.option("--batch-size", type=int, help="Samples of a step.")
@click.option("--learning-rate", type=float, help="Peak learning rate of all runs.")
@click.option("--optimizer", help="Optimizer of all runs, as in 'sgd(momentum=0.9)'.")
@click.option("--schedule", help="Learning rate over the budget of all runs, as in 'cosine | warmup(0.05)'.")
@click.option("--augment", help="Changes of the training samples in all runs, as in 'crop(4) | flip'.")
@click.option("--curriculum", help="How samples look over time in all runs, as in 'blur(sigma=1.0, until=0.2)'.")
@click.option("--accumulate", help="Batches of one update in all runs: 4, or 'grow(2, at=[0.5, 0.75])'.")
@click.option("--train-share", type=float, help="Share of the training part in all runs, always the same samples.")
@click.option("--label-smoothing", type=float, help="Smooth labels in the training of all runs.")
@click.option("--tuned", type=click.Path(dir_okay=False), help="Settings of each arm, as `batchsel tune` wrote them.")
@click.option("--stop-at-target", is_flag=True, help="End runs at their target: faster; no accuracy at equal time.")
@click.option("--controls/--no-controls", default=True, help="Run the controls. [default: on]")
@click.option("--shard", help="Only this part of the seeds, as in 3/64; join the records with cat.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the records. [default: runs/compare-...]")
@experiment_options.options
def compare(
    datasets: tuple[str, ...],
    selectors: tuple[str, ...],
    seeds: int | None,
    quick: bool,
    tuned: str | None,
    controls: bool,
    stop_at_target: bool,
    shard: str | None,
    out: str | None,
    executor: str | None,
    jobs: int | None,
    data_dir: str | None,
    offline: bool,
    untimed: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Compare selectors with shuffling: does one reach the target sooner?

    All arms run on the same seeds, in random order within a seed; then the controls: shuffling once more, and
    shuffling with its schedule cut to the samples that each arm needed. What is recorded is not run again, so an
    interrupted comparison goes on when it is called again.
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
        settings={name: value for name, value in settings.items() if value is not None}
        | ({"run_on": False} if stop_at_target else {}),
        controls=CONTROLS if controls else (),
        tuned=_tuned(tuned),
    )
    part = experiment_options.shard(shard)
    experiment.jobs()  # every setting is checked before TensorFlow is imported
    folder = Path(out or f"runs/compare-{_word(experiment.datasets)}-{experiment.digest()}")
    with experiment_options.execution(folder, executor, jobs, data_dir, offline, untimed, experiment.question) as (
        context,
        pool,
    ):
        from batchsel.experiments.compare.campaign import run_experiment

        result = run_experiment(experiment, context, pool, experiment_options.on_progress, part)
    experiment_options.show(result, folder, as_json, quick)


def _arms(selectors: tuple[str, ...]) -> dict[str, dict[str, str]]:
    if _ALL in selectors:
        from batchsel.selectors.registry import REGISTRY

        methods = [
            entry.name for entry in REGISTRY.entries().values() if entry.family in ("order", "history", "candidates")
        ]
        selectors = tuple(name for name in methods if name not in ("random", "mapping"))  # which choose alike
    return {text: {"selector": text} for text in selectors or ("loss_ema", "smart")}


def _datasets(names: tuple[str, ...]) -> tuple[str, ...]:
    from batchsel import cards

    small = [name for name in cards.names("datasets") if _is_small(cards.load("datasets", name))]
    found = [part for name in names or ("digits",) for part in (small if name == _SMALL else [name])]
    return tuple(dict.fromkeys(found))


def _is_small(card: Any) -> bool:
    return card.task != "language_model" and card.sizes.total <= 5000


def _word(datasets: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(datasets))[:40].strip("-")


def _tuned(path: str | None) -> dict[str, dict[str, dict[str, Any]]]:
    from batchsel.experiments.tuning.tuned_settings import read

    return {} if path is None else read(Path(path))
