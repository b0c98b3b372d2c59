"""`batchsel experiment`: what a card states, tuned, run, compared and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchsel.cli import conducting


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  batchsel experiment small_sets\n  batchsel experiment experiments/mine.toml --jobs 4",
)
@click.argument("card", required=False)
@click.option("--seeds", type=click.IntRange(1), help="Other than the card's.")
@click.option("--shard", help="Only this part of the seeds, as in 3/64; join the records with cat.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the records. [default: beside the card]")
@conducting.options
def experiment(
    card: str | None,
    seeds: int | None,
    shard: str | None,
    out: str | None,
    executor: str | None,
    jobs: int | None,
    data_dir: str | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Run the experiment that a card states; without one, list the cards.

    CARD is a name or a file. The card states question, data sets, arms, seeds, budget, target and tuning before
    anything is run; records and report lie in a folder of its name beside it. It can be stopped and called again at
    any time: what is recorded is not run again.
    """
    if card is None:
        _list()
        return
    stated, folder = _load(card, out)
    part = conducting.shard(shard)
    with conducting.place(folder, executor, jobs, data_dir, offline, stated.question) as (around, pool):
        from batchsel.experiments.campaign import conduct_card

        result = conduct_card(stated, around, pool, conducting.tell, part, seeds)
    conducting.show(result, folder, as_json)


def _list() -> None:
    from batchsel import cards
    from batchsel.cli.output import print_columns

    names = cards.names("experiments")
    if names:
        print_columns([(name, cards.load("experiments", name).question) for name in names])


def _load(card: str, out: str | None) -> tuple[Any, Path]:
    from batchsel import cards

    if card.endswith(".toml"):
        path = Path(card)
        return cards.load_file("experiments", path), Path(out or path.with_suffix(""))
    return cards.load("experiments", card), Path(out or Path("experiments") / card)
