"""User tables: detect the kinds of the columns, report them, and turn them into numbers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from batchsel.data.builders.tables import mean_and_deviation
from batchsel.data.dataset import Dataset, Split
from batchsel.data.formats.delimited import is_missing, parse_optional_numbers, read_delimited
from batchsel.data.formats.parquet import read_parquet
from batchsel.data.splits import fingerprint, split_rows
from batchsel.errors import UsageError, UserError

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zip", ".parquet")
_MAX_CATEGORIES = 50
_MAX_NUMERIC_CLASSES = 20
_VALIDATION_SHARE, _TEST_SHARE = 0.2, 0.2


class ColumnReport(NamedTuple):
    """Detected kind of a column.

    Example:
        >>> ColumnReport("age", "number", 2).text
        'age: number, 2 missing'
    """

    name: str
    kind: str
    """"number", "category of K kinds", or "left out: REASON"."""
    missing: int

    @property
    def text(self) -> str:
        """The report as a line."""
        return f"{self.name}: {self.kind}" + (f", {self.missing} missing" if self.missing else "")


def is_table(name: str) -> bool:
    """Return whether the name of a data set is that of a table with its label column.

    Args:
        name: As in ``"./my.csv:species"``.

    Example:
        >>> is_table("./my.csv:species"), is_table("iris"), is_table("./mine.py:load")
        (True, False, False)
    """
    return name.rpartition(":")[0].lower().endswith(SUFFIXES)


def load_table(name: str, seed: int = 0) -> tuple[Dataset, list[ColumnReport]]:
    r"""Read a table, turn its columns into numbers, and split it 60 : 20 : 20.

    Numbers are standardized, and missing ones set to the mean, both by the training split. Texts of at most 50
    categories, of which missing is one, become one column for each category; other texts and constant columns are left
    out. A label that is text, or has at most 20 different whole numbers, makes a classification, any other number a
    regression.

    Args:
        name: File and label column, as in ``"./my.csv:species"``.
        seed: Seed of the validation split.

    Returns:
        The data set, and a report of each column.

    Raises:
        UserError: If the table cannot be read, no feature is left, or a label is missing.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> rows = "".join(f"{i % 7},{'ab'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(30))
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "my.csv").write_text("size,kind,good\n" + rows)
        ...     dataset, reports = load_table(folder + "/my.csv:good")
        >>> dataset.train.x.shape, dataset.class_names, [column.text for column in reports]
        ((18, 3), ('no', 'yes'), ['size: number', 'kind: category of 2 kinds', 'good: label, 2 classes'])
    """
    path, _, label = name.rpartition(":")
    file = Path(path)
    table = read_parquet(file) if file.suffix.lower() == ".parquet" else read_delimited(file)
    if label not in table.names:
        raise UsageError(f"{path} has no column {label!r} for the label. Its columns: {', '.join(table.names)}.")
    y, classes = _encode_targets(table.column(label), f"{path}, column {label}")
    strata = y if classes else np.zeros(len(y), np.int64)
    held_out = [max(1, round(share * len(y))) for share in (_VALIDATION_SHARE, _TEST_SHARE)]
    rows = split_rows(strata, held_out[0], held_out[1], seed)
    columns, names, reports = [], [], []
    for column in table.names:
        if column == label:
            reports.append(ColumnReport(label, f"label, {len(classes)} classes" if classes else "label, a number", 0))
            continue
        values, report = _encode_feature(column, table.column(column), rows.train)
        reports.append(report)
        columns += values
        names += [column] * len(values)
    if not columns:
        raise UserError(f"{path}: no feature is left: {'; '.join(report.text for report in reports)}.")
    x = np.stack(columns, axis=1).astype(np.float32)
    train, validation, test = (Split(x[chosen], y[chosen]) for chosen in rows)
    return Dataset(
        name,
        "classification" if classes else "regression",
        train,
        validation,
        test,
        class_names=classes,
        split_fingerprint=fingerprint(*rows),
        feature_names=tuple(names),
    ), reports


def _encode_targets(values: tuple[str, ...], where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return class numbers and names, or values and no names."""
    missing = [row for row, value in enumerate(values) if is_missing(value)]
    if missing:
        raise UserError(
            f"{where}: {len(missing)} labels are missing, the first in row {missing[0]}. Remove those rows."
        )
    numbers = parse_optional_numbers(values)
    if numbers is not None and (len(set(numbers)) > _MAX_NUMERIC_CLASSES or (numbers != np.round(numbers)).any()):
        return numbers.astype(np.float32), ()
    classes = tuple(sorted(set(values))) if numbers is None else tuple(sorted(set(values), key=float))
    if len(classes) < 2:
        raise UserError(f"{where}: all labels are {values[0]!r}. Expected two classes or more.")
    if numbers is None and len(classes) > len(values) // 2:
        raise UserError(f"{where}: {len(classes)} classes in {len(values)} rows; is this the column of the label?")
    number = {name: index for index, name in enumerate(classes)}
    return np.array([number[value] for value in values], np.int32), classes


def _encode_feature(name: str, values: tuple[str, ...], train: np.ndarray) -> tuple[list[np.ndarray], ColumnReport]:
    """Return the columns that a feature becomes, and its report."""
    missing = sum(map(is_missing, values))
    constant = ColumnReport(name, "left out: constant", missing)
    numbers = parse_optional_numbers(values)
    if numbers is not None:
        known = numbers[train][~np.isnan(numbers[train])]
        if not len(known) or (known == known[0]).all():
            return [], constant
        mean, deviation = mean_and_deviation(known[:, None])
        scaled = (numbers - mean) / deviation
        return [np.where(np.isnan(scaled), 0.0, scaled)], ColumnReport(name, "number", missing)
    texts = ["" if is_missing(value) else value for value in values]
    categories = sorted(set(texts))
    if len(categories) > _MAX_CATEGORIES:
        return [], ColumnReport(name, f"left out: text of {len(categories)} kinds", missing)
    if len(categories) == 1:
        return [], constant
    columns = [(np.array(texts) == category).astype(np.float64) for category in categories]
    return columns, ColumnReport(name, f"category of {len(categories)} kinds", missing)
