"""A table of the user's: what its columns are is found out, said, and turned into numbers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from batchsel.data.builders.tables import spread_of
from batchsel.data.dataset import Dataset, Part
from batchsel.data.formats.delimited import is_missing, known_numbers, read_delimited
from batchsel.data.formats.parquet import read_parquet
from batchsel.data.splits import fingerprint, split_rows
from batchsel.errors import UsageError, UserError

ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zip", ".parquet")
_MANY_KINDS = 50
_FEW_NUMBERS = 20
_PARTS = (0.2, 0.2)
"""Validation and test part."""


class Found(NamedTuple):
    """What was found out about a column.

    Example:
        >>> Found("age", "number", 2).text
        'age: number, 2 missing'
    """

    name: str
    kind: str
    """"number", "category of K kinds", or "left out: why"."""
    missing: int

    @property
    def text(self) -> str:
        """As a line."""
        return f"{self.name}: {self.kind}" + (f", {self.missing} missing" if self.missing else "")


def is_table(name: str) -> bool:
    """Whether the name of a data set is that of a table with its label column.

    Args:
        name: As in ``"./my.csv:species"``.

    Example:
        >>> is_table("./my.csv:species"), is_table("iris"), is_table("./mine.py:load")
        (True, False, False)
    """
    return name.rpartition(":")[0].lower().endswith(ENDINGS)


def load_table(name: str, seed: int = 0) -> tuple[Dataset, list[Found]]:
    r"""Reads a table, turns its columns into numbers, and splits it 60 : 20 : 20.

    Numbers are standardized, and missing ones set to the mean, both by the training part. Texts of at most 50 kinds,
    and missing as a kind of its own, become one column a kind; other texts and constant columns are left out. A label
    that is text, or has at most 20 different whole numbers, makes a classification, any other number a regression.

    Args:
        name: File and column of the label, as in ``"./my.csv:species"``.
        seed: Chooses the validation part.

    Returns:
        The data set, and what was found out of each column.

    Raises:
        UserError: If the table cannot be read, or no feature is left, or a label is missing.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> rows = "".join(f"{i % 7},{'ab'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(30))
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "my.csv").write_text("size,kind,good\n" + rows)
        ...     dataset, found = load_table(folder + "/my.csv:good")
        >>> dataset.train.x.shape, dataset.class_names, [column.text for column in found]
        ((18, 3), ('no', 'yes'), ['size: number', 'kind: category of 2 kinds', 'good: label, 2 classes'])
    """
    path, _, label = name.rpartition(":")
    file = Path(path)
    table = read_parquet(file) if file.suffix.lower() == ".parquet" else read_delimited(file)
    if label not in table.names:
        raise UsageError(f"{path} has no column {label!r} for the label. Its columns: {', '.join(table.names)}.")
    y, classes = _targets(table.column(label), f"{path}, column {label}")
    strata = y if classes else np.zeros(len(y), np.int64)
    held_out = [max(1, round(share * len(y))) for share in _PARTS]
    rows = split_rows(strata, *held_out, seed)
    columns, names, found = [], [], []
    for column in table.names:
        if column == label:
            found.append(Found(label, f"label, {len(classes)} classes" if classes else "label, a number", 0))
            continue
        values, told = _feature(column, table.column(column), rows.train)
        found.append(told)
        columns += values
        names += [column] * len(values)
    if not columns:
        raise UserError(f"{path}: no feature is left: {'; '.join(told.text for told in found)}.")
    x = np.stack(columns, axis=1).astype(np.float32)
    parts = {name: Part(x[index], y[index]) for name, index in rows._asdict().items()}
    task = "classification" if classes else "regression"
    return Dataset(
        name, task, **parts, class_names=classes, split=fingerprint(*rows), feature_names=tuple(names)
    ), found


def _targets(values: tuple[str, ...], where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    missing = [row for row, value in enumerate(values) if is_missing(value)]
    if missing:
        raise UserError(
            f"{where}: {len(missing)} labels are missing, the first in row {missing[0]}. Remove those rows."
        )
    known = known_numbers(values)
    if known is None or (len(set(known)) <= _FEW_NUMBERS and (known == np.round(known)).all()):
        classes = tuple(sorted(set(values))) if known is None else tuple(sorted(set(values), key=float))
        if len(classes) < 2:
            raise UserError(f"{where}: all labels are {values[0]!r}. Expected two classes or more.")
        if known is None and len(classes) > len(values) // 2:
            raise UserError(f"{where}: {len(classes)} classes in {len(values)} rows; is this the column of the label?")
        number = {name: place for place, name in enumerate(classes)}
        return np.array([number[value] for value in values], np.int32), classes
    return known.astype(np.float32), ()


def _feature(name: str, values: tuple[str, ...], train: np.ndarray) -> tuple[list[np.ndarray], Found]:
    missing = sum(map(is_missing, values))
    known = known_numbers(values)
    if known is not None:
        seen = known[train][~np.isnan(known[train])]
        if not len(seen) or (seen == seen[0]).all():
            return [], Found(name, "left out: constant", missing)
        mean, deviation = spread_of(seen[:, None])
        scaled = (known - mean) / deviation
        return [np.where(np.isnan(scaled), 0.0, scaled)], Found(name, "number", missing)
    kinds = sorted({"" if is_missing(value) else value for value in values})
    if len(kinds) > _MANY_KINDS:
        return [], Found(name, f"left out: text of {len(kinds)} kinds", missing)
    if len(kinds) == 1:
        return [], Found(name, "left out: constant", missing)
    held = np.array(["" if is_missing(value) else value for value in values])
    return [(held == kind).astype(np.float64) for kind in kinds], Found(
        name, f"category of {len(kinds)} kinds", missing
    )
