"""Data sets that are one table in a file, whose card names the target column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.parameters import FileNames, Names, PositiveAmount
from batchsel.data.builders.tables import build_table_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder, find_or_fetch
from batchsel.data.formats.delimited import parse_numbers, read_delimited
from batchsel.data.formats.npz import read_npz
from batchsel.errors import UserError


@dataclass(frozen=True)
class Options:
    """Options of a card, checked when the card is read."""

    files: FileNames
    target: str
    without: Names = ()
    labels: Names = ()
    divide_target_by: PositiveAmount | None = None


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Read the table and standardize it.

    Args:
        card: The card; its options name the accepted files (``files``, of which the first that exists is read), the
            column of the target (``target``), columns to leave out (``without``) and, if labels are not written like
            the class names, the labels as they are written (``labels``).
        seed: Seed of the validation split.
        folder: Where the file is or will be downloaded to.

    Returns:
        The data set: ``float32[n, d]`` standardized features, ``int32[n]`` classes or ``float32[n]`` values.

    Raises:
        UserError: If the file is missing, damaged, or not the one that the card describes.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "boston_housing"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: boston_housing is not in /nowhere, and ... Expected boston_housing.csv or ...
    """
    path = find_or_fetch(card, folder, lambda: _find_file(card, folder), " or ".join(card.options["files"]))
    x, y, names = _read_arrays(path) if path.suffix == ".npz" else _read_columns(path, card)
    y = y / card.options["divide_target_by"] if "divide_target_by" in card.options else y
    return build_table_dataset(card, x, y, names=names, seed=seed)


def find(card: Any, folder: DataFolder) -> str | None:
    """Return the name of the file, or None if there is none.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "music_genre"), DataFolder(Path("/nowhere")))
    """
    path = _find_file(card, folder)
    return path.name if path else None


def _find_file(card: Any, folder: DataFolder) -> Path | None:
    return next((path for name in card.options["files"] if (path := folder.file(name)).is_file()), None)


def _read_columns(path: Path, card: Any) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    table = read_delimited(path)
    target, without = card.options["target"], set(card.options.get("without", ()))
    labels = table.column(target)
    features = [name for name in table.names if name != target and name not in without]
    x = np.stack([parse_numbers(table.column(name), f"{path}, column {name}") for name in features], axis=1)
    if card.task == "regression":
        return x, parse_numbers(labels, f"{path}, column {target}"), tuple(features)
    number = {label: number for number, label in enumerate(card.options.get("labels", card.class_names))}
    unknown = sorted(set(labels) - set(number))
    if unknown:
        raise UserError(f"{path}: the labels {', '.join(map(repr, unknown[:3]))} are none of {', '.join(number)}.")
    return x, np.array([number[label] for label in labels]), tuple(features)


def _read_arrays(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    arrays = read_npz(path, ["x", "y"])
    return arrays["x"], arrays["y"], ()
