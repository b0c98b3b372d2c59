"""User tables: detect the kinds of the columns, report them, and turn them into numbers."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from batchsel.data.builders.tables import DIFFICULTY, SPIRAL_COLUMNS, mean_and_deviation
from batchsel.data.builders.user_texts import build_texts, is_text_column
from batchsel.data.dataset import Dataset, split_arrays
from batchsel.data.formats.delimited import Header, TextTable, read_header
from batchsel.data.formats.number_text import is_missing, is_number, parse_column
from batchsel.data.formats.pixel_table import are_pixels, are_unnamed_pixels, read_pixels
from batchsel.data.splits import SplitRows, fingerprint, split_rows
from batchsel.data.user.table_files import has_lines, header_hint, read_table
from batchsel.data.user.table_reference import TableReference
from batchsel.errors import UsageError, UserError, shorten

_MAX_CATEGORIES = 50
_MAX_NUMERIC_CLASSES = 20
_VALIDATION_SHARE, _TEST_SHARE = 0.2, 0.2
_ROW_NUMBERS = ("", "id", "index", "row", "unnamed: 0", "__index_level_0__")
"""Names of columns with which libraries and people number rows, in lower case."""
_SHOWN = 12
"""Most columns that have a line each, or that a message names."""
_NAMED = 3
"""Most columns of one kind that the line about many columns names."""


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
    infinite: int = 0

    @property
    def text(self) -> str:
        """The report as a line."""
        missing = f", {self.missing} missing" if self.missing else ""
        return f"{self.name}: {self.kind}{missing}" + (
            f", {self.infinite} infinite, taken as missing" if self.infinite else ""
        )


class Targets(NamedTuple):
    """Targets of a table: class numbers and the names of the classes, or values and no names."""

    y: np.ndarray
    classes: tuple[str, ...]


def load_table(name: str, seed: int = 0) -> tuple[Dataset, list[ColumnReport]]:
    r"""Read a table, turn its columns into numbers, and split it 60 : 20 : 20.

    Numbers are standardized, and missing and infinite ones set to the mean, both by the training split. Texts of at
    most 50 categories, of which missing is one, become one column for each category; other texts and constant columns
    are left out. A label that is text, or has at most 20 different whole numbers, makes a classification, any other
    number a regression. Columns ``pixel0``, ``pixel1``, ... are read as images. A column of sentences that is alone
    beside the label, and a column that numbers the rows, is read as text.

    Args:
        name: File and label column, as in ``"./my.csv:species"``, with options between them: ``:delimiter=;`` and
            ``:decimal=,`` (both are found out by default), ``:missing=NA|-999``, the words for missing values,
            ``:text=review``, the column of texts to use alone, ``:subwords=4000`` to encode them by so many, and
            ``:header=no`` where the first line is a sample: columns are then numbered from 1 on.
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
    reference = TableReference.parse(name)
    path, label = reference.path, reference.label
    if has_lines(Path(path)):
        header = read_header(Path(path), reference.delimiter, reference.header)
        if label in header.names and has_pixels(header, reference):
            return _load_pixel_table(name, reference, header, seed)
    table = read_table(Path(path), reference)
    if label not in table.names:
        raise _no_column(path, label, "label", table.names, header_hint(reference, table.names))
    features = [column for column in table.names if column != label]
    if text := find_text(reference, table):
        return _load_text_column(name, reference, table, text, seed)
    if reference.subwords:
        raise UsageError(f"subwords are for texts. Name their column, as in '{path}:text={features[0]}:{label}'.")
    targets = encode_targets(reference, table)
    return build_table(name, reference, table, targets, _draw_rows(targets, seed))


def has_pixels(header: Header, reference: TableReference) -> bool:
    """Return whether the columns beside the label are pixels, by their names or, without names, by their values.

    Args:
        header: First line of the table.
        reference: The label, and how the table is read.
    """
    if not reference.header:
        return are_unnamed_pixels(header, reference.label)
    return are_pixels([column for column in header.names if column != reference.label])


def find_text(reference: TableReference, table: TextTable) -> str:
    """Return the column of texts of a table: the one that is named, or that alone beside label and row numbers; or "".

    Args:
        reference: The label, and the column of texts if it is named.
        table: The table.
    """
    features = [column for column in table.names if column != reference.label]
    others = [column for column in features if not _are_row_numbers(column, table.column(column))]
    if reference.text or len(others) != 1:
        return reference.text
    (column,) = others
    cells = table.column(column)
    asked = bool(reference.subwords) and not all(map(is_number, cells))
    return column if asked or is_text_column(cells) else ""


def describe_columns(reports: Sequence[ColumnReport]) -> list[str]:
    """Return the report of a table as lines of text: one for each column, or a single one for many.

    Args:
        reports: Reports of the columns.

    Example:
        >>> many = [ColumnReport(f"x{i}", "number", i % 2) for i in range(784)]
        >>> describe_columns([*many, ColumnReport("kind", "label, 2 classes", 0)])
        ['785 columns: kind (label, 2 classes), 784 × number; 392 missing values']
    """
    if len(reports) <= _SHOWN:
        return [report.text for report in reports]
    kinds: dict[str, list[str]] = {}
    parts = []
    for report in reports:
        if report.kind.startswith("label"):
            parts.append(f"{shorten(report.name)} ({report.kind})")
        else:
            kinds.setdefault(report.kind.partition(" of ")[0], []).append(report.name)
    for kind, names in sorted(kinds.items(), key=lambda item: -len(item[1])):
        named = f" ({', '.join(map(shorten, names))})" if len(names) <= _NAMED else ""
        parts.append(f"{len(names)} × {kind}{named}")
    missing = sum(report.missing + report.infinite for report in reports)
    missing_values = f"; {missing:,} missing values" if missing else ""
    return [f"{len(reports)} columns: {', '.join(parts)}{missing_values}"]


def _no_column(path: str, name: str, purpose: str, names: Sequence[str], hint: str = "") -> UsageError:
    close = difflib.get_close_matches(name, names, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    known = ", ".join(map(shorten, names[:_SHOWN]))
    return UsageError(f"{path} has no column {name!r} for the {purpose}.{guess} Its columns: {known}{more}.{hint}")


def _draw_rows(targets: Targets, seed: int) -> SplitRows:
    """Draw a fifth of the rows each for validation and test, stratified by class."""
    n = len(targets.y)
    validation, test = (max(1, round(share * n)) for share in (_VALIDATION_SHARE, _TEST_SHARE))
    return split_rows(targets.y if targets.classes else np.zeros(n, np.int64), validation, test, seed)


def encode_targets(reference: TableReference, table: TextTable) -> Targets:
    """Return the targets of a table.

    Args:
        reference: The label, and how numbers are written.
        table: The table.

    Raises:
        UserError: If a label is missing or infinite, or they make no classes.
    """
    return _encode_targets(table.column(reference.label), reference, reference.has_comma(table))


def build_table(
    name: str, reference: TableReference, table: TextTable, targets: Targets, rows: SplitRows
) -> tuple[Dataset, list[ColumnReport]]:
    """Turn the columns of a table into numbers, by its training split.

    Args:
        name: Name of the data set.
        reference: The label, and how numbers are written.
        table: The table.
        targets: Its targets.
        rows: Rows of each split.

    Returns:
        The data set, and a report of each column.

    Raises:
        UserError: If no feature is left.
    """
    path, label, words = reference.path, reference.label, reference.missing
    comma, (y, classes) = reference.has_comma(table), targets
    columns, names, reports = [], [], []
    for column in table.names:
        if column == label:
            reports.append(ColumnReport(label, f"label, {len(classes)} classes" if classes else "label, a number", 0))
            continue
        if (column, label) == (DIFFICULTY, "label") and table.names == SPIRAL_COLUMNS:
            reports.append(ColumnReport(column, "left out: made from the label", 0))
            continue
        if _are_row_numbers(column, table.column(column)):
            reports.append(ColumnReport(column, "left out: row numbers", 0))
            continue
        values, report = _encode_feature(column, table.column(column), rows.train, words, comma)
        reports.append(report)
        columns += values
        names += [column] * len(values)
    if not columns:
        texts = [column for column in table.names if column != label and is_text_column(table.column(column))]
        hint = f" If {texts[0]!r} is a text, name it, as in '{path}:text={texts[0]}:{label}'." if texts else ""
        raise UserError(f"{path}: no feature is left: {'; '.join(describe_columns(reports))}.{hint}")
    x = np.stack(columns, axis=1).astype(np.float32)
    return Dataset(
        name,
        "classification" if classes else "regression",
        *split_arrays(x, y, rows),
        class_names=classes,
        split_fingerprint=fingerprint(*rows),
        feature_names=tuple(names),
    ), reports


def _load_pixel_table(
    name: str, reference: TableReference, header: Header, seed: int
) -> tuple[Dataset, list[ColumnReport]]:
    x, labels = read_pixels(Path(reference.path), header, reference.label)
    targets = _encode_targets(tuple(labels.tolist()), reference, comma=False)
    y, classes = targets
    rows = _draw_rows(targets, seed)
    task = "classification" if classes else "regression"
    dataset = Dataset(name, task, *split_arrays(x, y, rows), class_names=classes, split_fingerprint=fingerprint(*rows))
    shape = "×".join(map(str, x.shape[1:]))
    first = next(column for column in header.names if column != reference.label)
    return dataset, [
        ColumnReport(f"{first}, ...", f"images, {shape}", 0),
        ColumnReport(reference.label, f"label, {len(classes)} classes" if classes else "label, a number", 0),
    ]


def _load_text_column(
    name: str, reference: TableReference, table: TextTable, text: str, seed: int
) -> tuple[Dataset, list[ColumnReport]]:
    """Read a column of texts and its labels, split them, and encode the texts by words of the training split.

    Raises:
        UserError: If there is no such column, or a label is missing or a number.
    """
    if text not in table.names or text == reference.label:
        others = [column for column in table.names if column != reference.label]
        raise _no_column(reference.path, text, "texts", others)
    targets = _encode_targets(table.column(reference.label), reference, comma=False)
    y, classes = targets
    if not classes:
        raise UserError(f"{reference.path}: the label {reference.label!r} of a text is a number. Expected classes.")
    texts = np.array(table.column(text), object)
    dataset = build_texts(name, texts, y, classes, _draw_rows(targets, seed), reference.subwords)
    report = [
        ColumnReport(column, "left out: beside a column of texts", 0)
        for column in table.names
        if column not in (text, reference.label)
    ]
    words, length = len(dataset.encoder.vocabulary) if dataset.encoder else 0, dataset.train.x.shape[1]  # type: ignore[union-attr]
    kind = "subwords" if reference.subwords else "words"
    return dataset, [
        ColumnReport(text, f"text, {words:,} {kind}, {length} of each text", sum(not one.strip() for one in texts)),
        ColumnReport(reference.label, f"label, {len(classes)} classes", 0),
        *report,
    ]


def _encode_targets(values: tuple[str, ...], reference: TableReference, comma: bool) -> Targets:
    where = _check_labels_there(values, reference)
    parsed = parse_column(values, reference.missing, comma=comma)
    if parsed is not None and parsed.infinite:
        rows = np.flatnonzero(np.isnan(parsed.values))
        raise UserError(
            f"{where}: {parsed.infinite} labels are infinite, the first in row {rows[0]}. Remove those rows."
        )
    numbers = None if parsed is None else parsed.values
    if numbers is not None and (len(set(numbers)) > _MAX_NUMERIC_CLASSES or (numbers != np.round(numbers)).any()):
        return Targets(numbers.astype(np.float32), ())
    classes = (
        tuple(sorted(set(values)))
        if numbers is None
        else tuple(sorted(set(values), key=dict(zip(values, numbers, strict=True)).__getitem__))
    )
    if len(classes) < 2:
        raise UserError(f"{where}: all labels are {values[0]!r}. Expected two classes or more.")
    if numbers is None and len(classes) > len(values) // 2:
        raise UserError(f"{where}: {len(classes)} classes in {len(values)} rows; is this the column of the label?")
    number = {name: index for index, name in enumerate(classes)}
    return Targets(np.array([number[value] for value in values], np.int32), classes)


def _are_row_numbers(name: str, values: tuple[str, ...]) -> bool:
    """Return whether a column numbers the rows: in a sorted table that tells the label."""
    if name.strip().lower() not in _ROW_NUMBERS:
        return False
    return any(all(value == str(row) for row, value in enumerate(values, first)) for first in (0, 1))


def refuse_missing_labels(reference: TableReference, table: TextTable) -> None:
    """Refuse a table in which a label is missing.

    Args:
        reference: The label, and the words for missing values.
        table: The table.

    Raises:
        UserError: If one is missing; the message names its row.
    """
    _check_labels_there(table.column(reference.label), reference)


def _check_labels_there(values: tuple[str, ...], reference: TableReference) -> str:
    """Refuse missing labels, and return the beginning of messages about the column."""
    where = f"{reference.path}, column {reference.label}"
    missing = [row for row, value in enumerate(values) if is_missing(value, reference.missing)]
    if missing:
        words = sorted({values[row].strip() for row in missing} - {""})
        hint = f" If {' and '.join(map(repr, words[:3]))} is a class, name the words for missing labels, or none: "
        hint += f"'{reference.path}:missing=:{reference.label}'."
        raise UserError(
            f"{where}: {len(missing)} labels are missing, the first in row {missing[0]}. Remove those rows."
            + (hint if words else "")
        )
    return where


def _encode_feature(
    name: str, values: tuple[str, ...], train: np.ndarray, words: tuple[str, ...], comma: bool
) -> tuple[list[np.ndarray], ColumnReport]:
    """Return the columns that a feature becomes, and its report."""
    parsed = parse_column(values, words, comma=comma)
    missing = sum(is_missing(value, words) for value in values) if parsed is None else parsed.missing
    constant = ColumnReport(name, "left out: constant", missing)
    if parsed is not None:
        numbers = parsed.values
        known = numbers[train][~np.isnan(numbers[train])]
        if not len(known) or (known == known[0]).all():
            return [], constant._replace(infinite=parsed.infinite)
        mean, deviation = mean_and_deviation(known[:, None])
        scaled = (numbers - mean) / deviation
        kind = "number with a decimal comma" if parsed.comma else "number"
        return [np.where(np.isnan(scaled), 0.0, scaled)], ColumnReport(name, kind, missing, parsed.infinite)
    texts = ["" if is_missing(value, words) else value for value in values]
    categories = sorted(set(texts))
    if len(categories) > _MAX_CATEGORIES:
        return [], ColumnReport(name, f"left out: text of {len(categories)} kinds", missing)
    if len(categories) == 1:
        return [], constant
    columns = [(np.array(texts) == category).astype(np.float64) for category in categories]
    return columns, ColumnReport(name, f"category of {len(categories)} kinds", missing)
