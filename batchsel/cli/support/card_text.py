"""Cards of data sets as rows of a list and as facts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchsel.cli.support.fetching import missing_bytes
from batchsel.errors import UserError

if TYPE_CHECKING:
    from batchsel.cards.schema import DatasetCard


_NAMED = 20
"""Classes that are listed by name."""


def summarize_cards(data_dir: Path | None) -> list[dict[str, Any]]:
    """Return a summary of each card. A broken card is reported and does not hide the others.

    Args:
        data_dir: Folder of the data, or None for the usual places.
    """
    from batchsel import cards

    rows = []
    for name in cards.names("datasets"):
        try:
            rows.append(summarize_card(cards.load("datasets", name), data_dir))
        except UserError as error:
            click.echo(f"left out {name}: {error}", err=True)
    return rows


def summarize_card(card: DatasetCard, data_dir: Path | None) -> dict[str, Any]:
    """Return a short form of a card, as JSON values."""
    from batchsel import data

    return {
        "name": card.name,
        "title": card.title,
        "task": card.task,
        "sizes": dataclasses.asdict(card.sizes),
        "input_shape": card.input_shape,
        "classes": len(card.class_names),
        "target": card.target,
        "licence": card.licence,
        "found": data.find(card, folder=data_dir),
        "fetchable": bool(card.files),
        "missing_bytes": missing_bytes(card, data_dir),
    }


def card_facts(card: DatasetCard) -> list[tuple[str, str]]:
    """Return the facts on a card, as names and values.

    Example:
        >>> from batchsel import cards
        >>> card_facts(cards.load("datasets", "iris"))[0]
        ('task', 'classification')
    """
    from batchsel.core.filesystem.byte_sizes import format_bytes

    sizes, defaults = card.sizes, card.defaults
    more = f" and {len(card.class_names) - _NAMED} more" if len(card.class_names) > _NAMED else ""
    counted = "documents" if card.task == "language_model" else "samples"
    files = [f"{file.name} ({format_bytes(file.bytes)})" if file.bytes else file.name for file in card.files]
    facts = [
        ("task", card.task),
        (counted, f"{sizes.train:,} train, {sizes.validation:,} validation, {sizes.test:,} test"),
        ("shape", "x".join(map(str, card.input_shape))),
        ("classes", ", ".join(card.class_names[:_NAMED]) + more),
        ("model", f"{defaults.model}, batches of {defaults.batch_size}, at most {defaults.budget:g} passes"),
        ("optimizer", f"{defaults.optimizer}, learning rate {defaults.learning_rate:g}, {defaults.schedule}"),
        ("target", f"{card.target} ({defaults.target})"),
        ("files", ", ".join(files)),
        ("by hand", card.by_hand),
        ("license", card.licence),
        ("citation", card.citation),
        ("homepage", card.homepage),
    ]
    return [(name, value) for name, value in facts if value]
