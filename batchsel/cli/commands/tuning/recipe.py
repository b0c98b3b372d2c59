"""`batchsel recipe`: a faster way to train, verified on fresh seeds, and what each of its factors contributes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.experiment_options import (
    Execution,
    execution_options,
    open_execution,
    print_progress,
    report_result,
)
from batchsel.cli.support.run_settings import setting_options
from batchsel.cli.support.user_data import Columns, column_options
from batchsel.errors import UsageError

if TYPE_CHECKING:
    from batchsel.analysis.report.factor_shares import FactorShare


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel recipe --dataset digits --target 'accuracy>=0.95'\n"
    "  batchsel recipe --dataset ./mine.csv --label y --model 'mlp(hidden=[64])' --target 'accuracy>=0.9' --trials 24",
)
@click.option("--dataset", required=True, help="Data set, as in `batchsel run`.")
@click.option("--selector", "selectors", multiple=True, help="Selector to choose from; repeatable. [default: four]")
@click.option("--trials", type=click.IntRange(2), default=12, show_default=True, help="Combinations that a rung tries.")
@click.option("--tuning-seeds", type=click.IntRange(1), default=2, show_default=True, help="Seeds of each combination.")
@click.option("--seeds", type=click.IntRange(3), default=10, show_default=True, help="Fresh seeds to verify on.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for records. [default: runs/recipe-...]")
@column_options
@setting_options(skip=("dataset", "selector", "seed"))
@execution_options
def recipe(
    dataset: str,
    selectors: tuple[str, ...],
    trials: int,
    tuning_seeds: int,
    seeds: int,
    out: str | None,
    columns: Columns,
    settings: dict[str, Any],
    execution: Execution,
    as_json: bool,
) -> None:
    """Search for settings that reach the target sooner, and say which of them it is due to.

    Factors are added one at a time: the learning rate; schedule and horizon; the batch size; and selection, on top of
    everything that is tuned without it. Each rung searches its factor and the learning rate anew, with the same number
    of trials, on seeds that are never scored. Then all rungs run on fresh seeds, in turn: the ratio of each to the one
    before is the share of its factor. The settings of the last rung are written to recipe.toml beside the records, for
    `batchsel run --config`.
    """
    from batchsel.analysis.report.factor_shares import factor_shares
    from batchsel.experiments.compare.experiment import Experiment
    from batchsel.experiments.run.parse_record import parse_failures, parse_runs
    from batchsel.experiments.spec.dataset_lookup import check_target
    from batchsel.experiments.tuning.recipe import SELECTORS, START, rungs

    if settings.get("run_on"):
        raise UsageError("a trial ends at its target. Leave --run-on out.")
    dataset = columns.add_to(dataset)
    check_target(dataset, settings.get("target"))
    experiment = Experiment(
        name="recipe",
        question="Which settings reach the target soonest, and what does each of them contribute?",
        datasets=(dataset,),
        arms={START: {"selector": "random"}},
        seeds=range(seeds),
        settings=settings,
        controls=(),
        baseline=START,
    )
    rungs(experiment.spec(dataset, START, 0), selectors or SELECTORS)  # settings are checked before TensorFlow is there
    folder = Path(out or f"runs/recipe-{experiment.digest()}")
    with open_execution(execution, folder, experiment.question) as (context, pool):
        from batchsel.experiments.tuning.recipe import find_recipe

        chosen = selectors or SELECTORS
        result, found = find_recipe(experiment, trials, tuning_seeds, context, pool, print_progress, chosen)
    report_result(result, folder, as_json)
    shares = factor_shares(parse_runs(result.records), parse_failures(result.failures), found)
    _write(folder / "recipe.toml", dataset, settings | list(found.values())[-1])
    if not as_json:
        click.echo("\n".join(describe(shares)))
        click.echo(f"settings: {folder / 'recipe.toml'}")


def describe(shares: list[FactorShare]) -> list[str]:
    """Return what the factors contribute, lines of text.

    Args:
        shares: The shares, in the order of the rungs.
    """
    last = shares[-1].total
    quantity = "time" if last is not None and last.timed else "samples"
    whole = _ratio(last)
    return [
        "",
        f"All together need {whole} of the {quantity} of the settings as given:",
        *(f"  {share.factor}: {_ratio(share.step)}  ({_chosen(share)})" for share in shares),
        "Each ratio is to the line above it, the first to the settings as given; 95 % intervals over fresh seeds.",
    ]


def _ratio(item: Any) -> str:
    from batchsel.analysis.verdict import format_ratio

    return "an unknown share" if item is None or item.decisive is None else format_ratio(item.decisive)


def _chosen(share: FactorShare) -> str:
    found = [
        f"{name.replace('_', ' ')} {value:.3g}" if isinstance(value, float) else f"{name.replace('_', ' ')} {value}"
        for name, value in share.settings.items()
    ]
    return ", ".join(found) or "as before"


def _write(path: Path, dataset: str, settings: dict[str, Any]) -> None:
    import tomli_w

    from batchsel.core.filesystem.atomic_write import atomic_write

    with atomic_write(path) as beside:
        beside.write_text(tomli_w.dumps({"dataset": dataset, **settings}), "utf-8")
