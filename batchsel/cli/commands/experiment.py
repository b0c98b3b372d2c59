"""`batchsel experiment`: what a card states, tuned, run, compared and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchsel.cli.support import experiment_options
from batchsel.errors import UsageError

_SCALED = "scaled"
"""Folder of the scaled form in that of the card."""


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel experiment small_sets\n"
    "  batchsel experiment experiments/mine.toml --scaled --plan\n"
    "  batchsel experiment experiments/mine.toml --jobs 4",
)
@click.argument("card", required=False)
@click.option("--scaled", is_flag=True, help="The form for a small machine, if the card has one.")
@click.option("--plan", "--dry-run", "plan", is_flag=True, help="Only say what would be run: arms, seeds, settings.")
@click.option("--seeds", type=click.IntRange(1), help="Other than the card's.")
@click.option("--shard", help="Only this part of the seeds, as in 3/64; join the records with cat.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the records. [default: beside the card]")
@experiment_options.options
def experiment(
    card: str | None,
    scaled: bool,
    plan: bool,
    seeds: int | None,
    shard: str | None,
    out: str | None,
    executor: str | None,
    jobs: int | None,
    data_dir: str | None,
    offline: bool,
    untimed: bool,
    as_json: bool,
) -> None:
    """Run the experiment that a card states; without one, list the cards.

    CARD is a name or a file. The card states question, data sets, arms or factors, seeds, budget, target, tuning and
    analysis before anything is run; records and report lie in a folder of its name beside it, those of its scaled form
    in the folder scaled in that. It can be stopped and called again at any time: what is recorded is not run again.
    """
    if card is None:
        _list()
        return
    stated, folder = _load(card, scaled, out)
    part = experiment_options.shard(shard)
    if plan:
        _plan(stated, folder, seeds, as_json)
        return
    with experiment_options.execution(folder, executor, jobs, data_dir, offline, untimed, stated.question) as (
        context,
        pool,
    ):
        from batchsel.experiments.compare.campaign import run_card

        result = run_card(stated, context, pool, experiment_options.on_progress, part, seeds)
    experiment_options.show(result, folder, as_json, analysis=stated.analysis)


def _list() -> None:
    from batchsel import cards
    from batchsel.cli.support.output import print_columns

    found = [cards.load("experiments", name) for name in cards.names("experiments")]
    if found:
        print_columns([(card.name, "full, scaled" if card.scaled else "full", card.question) for card in found])


def _plan(card: Any, folder: Path, seeds: int | None, as_json: bool) -> None:
    from batchsel.cli.support import experiment_plan
    from batchsel.cli.support.output import print_json
    from batchsel.experiments.compare.experiment import Experiment

    stated = experiment_plan.plan(card, Experiment.of(card, seeds), folder)
    if as_json:
        print_json(stated)
        return
    click.echo("\n".join(experiment_plan.lines(stated)))


def _load(name: str, scaled: bool, out: str | None) -> tuple[Any, Path]:
    """The card or its scaled form, and the folder of its records."""
    from batchsel import cards

    if name.endswith(".toml"):
        path = Path(name)
        card, beside = cards.load_file("experiments", path), path.with_suffix("")
    else:
        card, beside = cards.load("experiments", name), Path("experiments") / name
    if not scaled:
        return card, Path(out or beside)
    if card.scaled is None:
        raise UsageError(f"the card {card.name} has no scaled form; a table [scaled] in it would state one.")
    return card.scaled, Path(out or beside / _SCALED)
