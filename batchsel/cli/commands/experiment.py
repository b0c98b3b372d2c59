"""`batchsel experiment`: tune, run, compare and report an experiment card."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import click

from batchsel.cards.experiment_cards import ExperimentCard
from batchsel.cli.support.experiment_options import (
    Execution,
    execution_options,
    open_execution,
    parse_shard,
    print_progress,
    report_result,
)
from batchsel.cli.support.output import print_columns, print_json
from batchsel.cli.support.run_settings import setting_options
from batchsel.errors import UsageError

_SCALED = "scaled"
"""Folder of the scaled form in that of the card."""


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n"
    "  batchsel experiment small_sets\n"
    "  batchsel experiment experiments/mine.toml --scaled --plan\n"
    "  batchsel experiment experiments/mine.toml --jobs 4\n"
    "  batchsel experiment small_sets --deterministic",
)
@click.argument("card", required=False)
@click.option("--scaled", is_flag=True, help="Run the form for a small machine, if the card has one.")
@click.option("--plan", "--dry-run", "plan", is_flag=True, help="Only print the plan: arms, seeds, settings.")
@click.option("--seeds", type=click.IntRange(1), help="Number of seeds. [default: the card's]")
@click.option("--shard", help="Only this part of the seeds, as in 3/64; join the records with cat.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the records. [default: beside the card]")
@setting_options(skip=("dataset", "selector", "seed"), environment=False)
@execution_options
def experiment(
    card: str | None,
    scaled: bool,
    plan: bool,
    seeds: int | None,
    shard: str | None,
    out: str | None,
    settings: dict[str, Any],
    execution: Execution,
    as_json: bool,
) -> None:
    """Run the experiment that a card states; without one, list the cards.

    CARD is a name or a file. The card states question, data sets, arms or factors, seeds, budget, target, tuning and
    analysis before anything is run; records and report lie in a folder of its name beside it, those of its scaled form
    in the folder scaled in that. The command can be stopped and called again at any time: recorded runs are not run
    again.

    A setting given as an option overrides the card's for all arms. It is then another experiment: its records lie in a
    folder changed-... of their own.
    """
    if card is None:
        _print_cards()
        return
    stated, folder = _load(card, scaled)
    if settings:
        from batchsel.experiments.tuning.overrides import override_settings

        stated, folder = override_settings(stated, settings), folder / _changed_name(settings)
    folder = Path(out) if out else folder
    part = parse_shard(shard)
    if plan:
        _print_plan(stated, folder, seeds, as_json)
        return
    with open_execution(execution, folder, stated.question, stated.slurm) as (context, pool):
        from batchsel.experiments.tuning.run_card import run_card

        result = run_card(stated, context, pool, print_progress, part, seeds)
    report_result(result, folder, as_json, analysis=stated.analysis)


def _print_cards() -> None:
    from batchsel import cards

    found = [cards.load("experiments", name) for name in cards.names("experiments")]
    if found:
        print_columns([(card.name, "full, scaled" if card.scaled else "full", card.question) for card in found])


def _print_plan(card: ExperimentCard, folder: Path, seeds: int | None, as_json: bool) -> None:
    from batchsel.cli.support.experiment_plan import build_plan, plan_lines
    from batchsel.experiments.compare.experiment import Experiment

    plan = build_plan(card, Experiment.from_card(card, seeds), folder)
    if as_json:
        print_json(plan)
        return
    click.echo("\n".join(plan_lines(plan)))


def _load(name: str, scaled: bool) -> tuple[ExperimentCard, Path]:
    """Return the card or its scaled form, and the default folder of its records."""
    from batchsel.experiments.spec.card_problems import load_experiment_card

    card = load_experiment_card(name)
    folder = Path(name).with_suffix("") if name.endswith(".toml") else Path("experiments") / name
    if not scaled:
        return card, folder
    if card.scaled is None:
        raise UsageError(f"the card {card.name} has no scaled form; a table [scaled] in it would state one.")
    return card.scaled, folder / _SCALED


def _changed_name(settings: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return "-".join(["changed", *sorted(settings)])[:60] + f"-{digest}"
