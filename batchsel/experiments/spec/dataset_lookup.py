"""Data sets by name, or from a file of the user's."""

from __future__ import annotations

from typing import Any

import numpy as np

from batchsel import cards, data
from batchsel.cards.default_card import default_card
from batchsel.cards.schema import Sizes
from batchsel.data import Dataset
from batchsel.data.builders.user_table import ENDINGS
from batchsel.data.loaders import fingerprint_of, has_no_card
from batchsel.errors import UsageError, UserError


def card_of(name: str, folder: str | None = None, offline: bool = False) -> Any:
    """The card of a data set; for a file of the user's, one with general defaults and no target.

    Args:
        name: Name of a card; ``./mine.py:load``, a function of a seed that returns a `Dataset`; ``./my.csv:label``, a
            table and the column of its label; ``./my.txt``, a text; ``./pictures``, a folder of class folders; or
            ``tfds:NAME``.
        folder: Folder of the data, or None for the usual places.
        offline: Whether downloads are forbidden.

    Raises:
        UserError: If there is no such card, or the file or its data are not right.

    Example:
        >>> card_of("iris").task
        'classification'
    """
    if name.lower().endswith(ENDINGS):
        raise UsageError(f"which column of {name} holds the label? Give it behind a colon, as in '{name}:label'.")
    if not _in_file(name):
        return _card(name)
    dataset = data.load(name, folder=folder, offline=offline)
    sizes = Sizes(*(len(part) for part in (dataset.train, dataset.validation, dataset.test)))
    return default_card(
        name, dataset.task, dataset.input_shape, sizes, class_names=dataset.class_names, source=fingerprint_of(name)
    )


def targets_of(name: str) -> dict[str, str]:
    """The target of each level of a data set's card; none for a file of the user's.

    Args:
        name: As for `card_of`.

    Example:
        >>> targets_of("iris")["medium"]
        'accuracy>=0.93'
    """
    card = None if _in_file(name) else cards.load("datasets", name)
    return {level: target.text for level, target in card.targets.items()} if card else {}


def check_source(name: str, source: str) -> None:
    """Makes sure that data without a card are those that a run began with.

    Args:
        name: As for `card_of`.
        source: What `card_of` found then; empty for data with a card.

    Raises:
        UserError: If they have changed.

    Example:
        >>> check_source("iris", "")
    """
    now = fingerprint_of(name) if source else ""
    if now and now != source:  # what is not there is told of when it is read
        raise UserError(
            f"{name} has changed since the settings of this run were made: its results could not be compared. Start a"
            " new run."
        )


def load(name: str, folder: str | None = None, offline: bool = False, progress: Any = None) -> Dataset:
    """The data, split.

    Args:
        name: As for `card_of`.
        folder: Folder of the data, or None for the usual places.
        offline: Whether downloads are forbidden.
        progress: Makes a progress bar for a label, or None.

    Raises:
        UserError: If the data cannot be had or are not right.

    Example:
        >>> len(load("iris").train)
        90
    """
    card = name if _in_file(name) else _card(name)
    return data.load(card, folder=folder, offline=offline, progress=progress)


def whole(part: Any) -> tuple[Any, ...]:
    """The arrays of a part, read whole if it is a source.

    Args:
        part: A `batchsel.data.Part`, or a source.
    """
    return (part.x, part.y) if isinstance(part, data.Part) else tuple(part.take(np.arange(len(part))))


def some(part: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of some samples of a part.

    Args:
        part: A `batchsel.data.Part`, or a source.
        rows: ``int[k]`` their numbers.

    Example:
        >>> part = data.Part(np.arange(4), np.arange(4) * 2)
        >>> some(part, np.array([3]))
        (array([3]), array([6]))
    """
    return (part.x[rows], part.y[rows]) if isinstance(part, data.Part) else tuple(part.take(rows)[:2])


def _card(name: str) -> Any:
    if "/" in name or "\\" in name or name.startswith("."):
        raise UsageError(
            f"there is no file or folder {name!r} that is data. Expected ./mine.csv:label, ./mine.txt, ./mine.py:load,"
            " or a folder of class folders, behind it :size=96 or :skip_broken."
        )
    return cards.load("datasets", name)


def _in_file(name: str) -> bool:
    return isinstance(name, str) and has_no_card(name)
