"""Data sets that are one table in a file: which column is the target stands on the card."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.data.builders.tables import table_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder, found_or_fetched
from batchsel.data.formats.delimited import numbers, read_delimited
from batchsel.errors import UserError


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Reads the table, and standardizes it.

    Args:
        card: The card; its options name the files that are accepted (``files``, the first that is there), the column
            of the target (``target``), columns to leave out (``without``) and, where labels are written otherwise than
            the class names, how (``labels``).
        seed: Chooses the validation part.
        folder: Where the file lies or will be downloaded to.

    Returns:
        The data set: ``float32[n, d]`` standardized features, ``int32[n]`` classes or ``float32[n]`` values.

    Raises:
        UserError: If the file is missing, damaged, or not the one that the card describes.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "boston_housing"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: boston_housing is not in /nowhere. Expected boston_housing.csv or ...
    """
    missing = f"Expected {' or '.join(card.options['files'])}. {card.by_hand}".rstrip()
    missing += " Another folder can be named with --data-dir or BATCHSEL_DATA."
    path = found_or_fetched(card, folder, lambda: _first(card, folder), missing)
    x, y, names = _arrays(path) if path.suffix == ".npz" else _columns(path, card)
    y = y / card.options["divide_target_by"] if "divide_target_by" in card.options else y
    return table_dataset(card, x, y, names=names, seed=seed)


def find(card: Any, folder: DataFolder) -> str | None:
    """What of the data is in the folder already.

    Args:
        card: The card.
        folder: The folder.

    Returns:
        The name of the file; None if there is none.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "music_genre"), DataFolder(Path("/nowhere")))
    """
    path = _first(card, folder)
    return path and path.name


def _first(card: Any, folder: DataFolder) -> Path | None:
    return next((path for name in card.options["files"] if (path := folder.file(name)).is_file()), None)


def _columns(path: Path, card: Any) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    table = read_delimited(path)
    target, without = card.options["target"], set(card.options.get("without", ()))
    labels = table.column(target)
    features = [name for name in table.names if name != target and name not in without]
    x = np.stack([numbers(table.column(name), f"{path}, column {name}") for name in features], axis=1)
    if card.task == "regression":
        return x, numbers(labels, f"{path}, column {target}"), tuple(features)
    known = {label: number for number, label in enumerate(card.options.get("labels", card.class_names))}
    strange = sorted(set(labels) - set(known))
    if strange:
        raise UserError(f"{path}: the labels {', '.join(map(repr, strange[:3]))} are none of {', '.join(known)}.")
    return x, np.array([known[label] for label in labels]), tuple(features)


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["x"], arrays["y"], ()
    except (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a whole npz file with the arrays x, y: {error}. Get it anew.") from error
