"""Look up data sets by name, or in a user's file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from batchsel import data
from batchsel.cards.default_card import default_card
from batchsel.cards.schema import Sizes
from batchsel.core.target import Target
from batchsel.data import Dataset
from batchsel.data.user.references import fingerprint_by_name, has_no_card, load_by_name
from batchsel.data.user.table_reference import SUFFIXES
from batchsel.errors import UsageError, UserError, working_on
from batchsel.experiments.spec.card_problems import load_dataset_card
from batchsel.experiments.spec.user_code import latest


def find_card(
    name: str,
    folder: str | None = None,
    offline: bool = False,
    progress: Any = None,
    say: Callable[[str], None] = lambda line: None,
) -> Any:
    """Return the card of a data set; for a user's file, one with general defaults and no target.

    Args:
        name: Name of a card; ``./mine.py:load``, a function of a seed that returns a `Dataset`; ``./my.csv:label``, a
            table and the column of its label; ``./my.txt``, a text; ``./photos``, a folder of class folders; or
            ``tfds:NAME``.
        folder: Folder of the data, or None for the default ones.
        offline: Whether downloads are forbidden.
        progress: Function that creates a progress bar for a label, or None.
        say: Called with each line that says how a user's files are read.

    Raises:
        UserError: If there is no such card, or the file or its data are invalid.

    Example:
        >>> find_card("iris").task
        'classification'
    """
    if name.lower().endswith(SUFFIXES):
        raise UsageError(f"which column of {name} holds the label? Name it after a colon, as in '{name}:label'.")
    if not _is_in_file(name):
        return _load_card(name)
    dataset = load_by_name(name, 0, folder, offline, progress, say)
    dataset.check()
    sizes = Sizes(*(len(part) for part in (dataset.train, dataset.validation, dataset.test)))
    return default_card(
        name,
        dataset.task,
        dataset.input_shape,
        sizes,
        class_names=dataset.class_names,
        source=fingerprint_by_name(name),
        is_text=dataset.encoder is not None and dataset.task == "classification",
    )


def check_target(name: str, target: str | None) -> None:
    """Check the target of data without a card before they are read, which may take long.

    Args:
        name: As for `find_card`.
        target: The target that was given, or None.

    Raises:
        UsageError: If there is none, or it cannot be read.

    Example:
        >>> check_target("./mine.csv:species", None)
        Traceback (most recent call last):
        batchsel.errors.UsageError: ./mine.csv:species has no target of its own. Give one, as in ...
    """
    if _is_in_file(name):
        if target is None:
            raise no_target(name)
        Target.parse(target)


def no_target(name: str) -> UsageError:
    """Return the error for data without a target, for the caller to raise."""
    return UsageError(f"{name} has no target of its own. Give one, as in --target 'accuracy>=0.9'.")


def card_targets(name: str) -> dict[str, str]:
    """Return the target of each level of a data set's card; none for a user's file.

    Args:
        name: As for `find_card`.

    Example:
        >>> card_targets("iris")["medium"]
        'accuracy>=0.93'
    """
    card = None if _is_in_file(name) else load_dataset_card(name)
    return {level: target.text for level, target in card.targets.items()} if card else {}


def check_source(name: str, source: str) -> None:
    """Check that data without a card are still those that a run began with.

    Args:
        name: As for `find_card`.
        source: Hash that the settings of the run hold; empty for data with a card.

    Raises:
        UserError: If they have changed.

    Example:
        >>> check_source("iris", "")
    """
    now = fingerprint_by_name(name) if source else ""
    if now and now != latest(source):  # a missing file is reported when it is read
        raise UserError(
            f"{name} has changed since the settings of this run were made: its results could not be compared. Start a"
            " new run."
        )


def load(name: str, folder: str | None = None, offline: bool = False, progress: Any = None) -> Dataset:
    """Return the data, split.

    Args:
        name: As for `find_card`.
        folder: Folder of the data, or None for the default ones.
        offline: Whether downloads are forbidden.
        progress: Function that creates a progress bar for a label, or None.

    Raises:
        UserError: If the data cannot be loaded or are invalid.

    Example:
        >>> len(load("iris").train)
        90
    """
    card = name if _is_in_file(name) else _load_card(name)
    with working_on(f"loading the data set {name}"):
        return data.load(card, folder=folder, offline=offline, progress=progress)


def load_arrays(part: Any) -> tuple[Any, ...]:
    """Return the arrays of a whole part.

    Args:
        part: A `batchsel.data.Split`, or a source.
    """
    return (part.x, part.y) if isinstance(part, data.Split) else tuple(part.take(np.arange(len(part))))


def take_samples(part: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of some samples of a part.

    Args:
        part: A `batchsel.data.Split`, or a source.
        rows: ``int[k]`` their row numbers.

    Example:
        >>> part = data.Split(np.arange(4), np.arange(4) * 2)
        >>> take_samples(part, np.array([3]))
        (array([3]), array([6]))
    """
    if isinstance(part, data.Split):
        return part.x[rows], part.y[rows]
    x, y = part.take(rows)[:2]
    return x, y


def _load_card(name: str) -> Any:
    if "/" in name or "\\" in name or name.startswith("."):
        raise UsageError(
            f"no data in a file or folder {name!r}. Expected ./mine.csv:label, ./mine.txt, ./mine.py:load, or a folder"
            " of class folders, optionally followed by :size=96 or :skip_broken."
        )
    return load_dataset_card(name)


def _is_in_file(name: str) -> bool:
    return isinstance(name, str) and has_no_card(name)
