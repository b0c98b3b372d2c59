"""User data with a file for each split: a folder of train.csv and test.csv, or of other tables; or one npz."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from batchsel.core.filesystem.reading import reading
from batchsel.data.builders.user_texts import build_texts, is_text_column
from batchsel.data.dataset import Dataset
from batchsel.data.formats.delimited import Header, TextTable, read_header
from batchsel.data.formats.pixel_table import are_pixels, read_pixels
from batchsel.data.splits import SPLIT_NAMES
from batchsel.data.user.npz_file import load_npz
from batchsel.data.user.parts import (
    Part,
    assemble,
    check_labels,
    class_names,
    class_numbers,
    describe,
    draw_rows,
    official_rows,
)
from batchsel.data.user.table import (
    build_table,
    describe_columns,
    encode_targets,
    find_text,
    has_pixels,
    refuse_missing_labels,
)
from batchsel.data.user.table_files import SPLIT_SUFFIXES, has_lines, read_table
from batchsel.data.user.table_reference import TableReference, read_subwords
from batchsel.errors import UsageError, UserError, shorten, show

_FORM = re.compile(r"(?P<path>.+?)(?P<options>(?::(?:text|subwords|header)=[^:]*)*)(?::(?P<label>[^:]*))?", re.DOTALL)
_LABELS = ("label", "labels", "class", "target", "y", "category", "sentiment")
_SPLITS = {name: split for split, names in SPLIT_NAMES.items() for name in names}
_FILE = re.compile(
    rf"(?:(?P<front>.+)[-_.])?(?P<split>{'|'.join(_SPLITS)})(?:-(?P<number>\d+)-of-(?P<count>\d+))?"
    rf"(?:{'|'.join(map(re.escape, SPLIT_SUFFIXES))})",
    re.IGNORECASE | re.DOTALL,
)
"""Name of a file of a split: train.csv, mnist_train.csv, train-00000-of-00002.parquet."""


def is_split_files(name: str) -> bool:
    """Return whether the name of a data set is that of a folder with a training file, or of an npz.

    Args:
        name: As in ``"./mnist_csv"``, ``"./sales:price"`` (with the column of the label) or ``"./mnist.npz"``.

    Example:
        >>> is_split_files("./mnist.npz"), is_split_files("iris"), is_split_files("./mine.csv:label")
        (True, False, False)
    """
    path = split_files_path(name)
    if path.suffix.lower() == ".npz":
        return True
    # A bare name is that of a card, whatever folders there are.
    return ("/" in name or "\\" in name or name.startswith(".")) and "train" in _find_files(path)


def split_files_path(name: str) -> Path:
    """Return the folder or file in the name of a data set.

    Args:
        name: As for `is_split_files`.
    """
    match = _match(name)
    return Path(match["path"] if match else name)


def add_option(name: str, option: str, value: str | int) -> str:
    """Return the name of a data set with an option for its texts.

    Args:
        name: As for `is_split_files`.
        option: "text", for the column of texts, or "subwords", for the size of their vocabulary.
        value: Its value.

    Example:
        >>> add_option("./moods", "text", "review"), add_option("./moods:mood", "subwords", 4000)
        ('./moods:text=review', './moods:subwords=4000:mood')
    """
    match = _match(name)
    label = match["label"] if match else ""
    front = name.removesuffix(f":{label}") if label else name
    return f"{front}:{option}={value}" + (f":{label}" if label else "")


def _match(name: str) -> re.Match[str] | None:
    return None if os.path.exists(name) else _FORM.fullmatch(name)


def _parse_name(name: str) -> TableReference:
    """Return the path, the label column and the options of a name; no label if it names none."""
    match = _match(name)
    if match is None:
        return TableReference(name, "")
    options = dict(option.split("=", 1) for option in match["options"].split(":")[1:])
    subwords = read_subwords(options.get("subwords", "0"), match["path"])
    header = options.get("header", "yes")
    if header not in ("yes", "no"):
        raise UsageError(f"header of {match['path']} must be 'yes' or 'no', got {show(header)}.")
    text, label = options.get("text", ""), match["label"] or ""
    return TableReference(match["path"], label, text=text, subwords=subwords, header=header == "yes")


def list_split_files(name: str) -> list[Path]:
    """Return the files of a data set; none if they are missing.

    Args:
        name: As for `is_split_files`.
    """
    path = split_files_path(name)
    files = itertools.chain.from_iterable(_find_files(path).values()) if path.is_dir() else [path]
    return [file for file in files if file.is_file()]


def load_split_files(name: str, seed: int = 0, say: Callable[[str], None] = lambda line: None) -> Dataset:
    """Read a folder of train.csv, test.csv and, if there is one, valid.csv; or an npz, see `npz_file.load_npz`.

    Files may also be TSV, Parquet or JSON lines, begin with another word, as in mnist_train.csv, and be shards, as in
    train-00000-of-00002.parquet. A test file without labels, as competitions give it, is not read.

    A column for each pixel (``pixel0``, ``pixel1``, ... or ``1x1``, ``1x2``, ...), bytes, makes images: square, gray
    or of three channels side by side. One column of text makes texts, encoded by the words of the training split.
    Without a file for it, a tenth of the training samples is drawn for validation, and a fifth for the test split.

    Args:
        name: As for `is_split_files`. The column of the label is that called "label", "class", "target" or the like,
            the only one beside pixels or texts, or the one after the colon. Options before it are ``:text=review``,
            the column of texts to use alone, and ``:subwords=4000`` to encode them by so many.
        seed: Seed of the validation split.
        say: Called with a line that says what the files are, before they are split.

    Raises:
        UserError: If files cannot be read, differ in their columns, or hold something else.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     x = np.zeros([20, 28, 28], np.uint8)
        ...     y = np.arange(20) % 2
        ...     np.savez(folder + "/mine.npz", x_train=x, y_train=y, x_test=x, y_test=y)
        ...     dataset = load_split_files(folder + "/mine.npz")
        >>> [len(part) for part in dataset.splits.values()], dataset.input_shape
        ([18, 2, 20], (28, 28, 1))
    """
    reference = _parse_name(name)
    path = Path(reference.path)
    if path.suffix.lower() == ".npz":
        if str(path) != str(Path(name)):
            raise UsageError(f"{path} holds numbers, without columns. Leave the rest of {shorten(name)!r} out.")
        return load_npz(name, path, seed, say)
    files = _find_files(path)
    headers = _pixel_headers(files, reference)
    if headers:
        columns = {split: header.names for split, header in headers.items()}
        label = reference.label or _find_label(path, columns["train"], [])
        reference = reference._replace(label=label)
        _refuse_options(reference, "images")
        single = {split: shards[0] for split, shards in files.items() if _has_labels(split, columns, reference, say)}
        return _load_pixels(name, single, headers, label, seed, say)
    tables = {split: _read_shards(shards, reference) for split, shards in files.items()}
    first = tables["train"]
    label = reference.label or _find_label(path, first.names, _text_columns(first, reference.text))
    reference = reference._replace(label=label)
    columns = {split: table.names for split, table in tables.items()}
    tables = {split: table for split, table in tables.items() if _has_labels(split, columns, reference, say)}
    counts = {split: len(table.columns[0]) for split, table in tables.items()}
    joined = tuple(tuple(itertools.chain(*(table.column(name) for table in tables.values()))) for name in first.names)
    return _load_table(name, first._replace(columns=joined), reference, counts, seed, say)


def _pixel_headers(files: Mapping[str, list[Path]], reference: TableReference) -> dict[str, Header]:
    """Return the first lines of tables of pixels; nothing for other files."""
    if not all(len(shards) == 1 and has_lines(shards[0]) for shards in files.values()):
        return {}
    headers = {split: read_header(shards[0], header=reference.header) for split, shards in files.items()}
    names = headers["train"].names
    others = [column for column in names if not are_pixels([column])] if reference.header else ["1"]
    label = reference.label or others[0] if others else ""
    found = label in names and has_pixels(headers["train"], reference._replace(label=label))
    return headers if found else {}


def _read_shards(shards: Sequence[Path], reference: TableReference) -> TextTable:
    tables = [read_table(shard, reference) for shard in shards]
    names = tables[0].names
    for shard, table in zip(shards, tables, strict=True):
        if set(table.names) != set(names):
            raise _other_columns(shard, shards[0])
    columns = tuple(tuple(itertools.chain(*(table.column(name) for table in tables))) for name in names)
    return tables[0]._replace(columns=columns)


def _text_columns(table: TextTable, text: str) -> list[str]:
    """Return the columns of texts: the one that is named, else those that look like it."""
    return [text] if text else [name for name in table.names if is_text_column(table.column(name))]


def _find_label(path: Path, names: Sequence[str], texts: Sequence[str]) -> str:
    """Return the column of the label: the one with such a name, or else the only one beside pixels or texts."""
    named = next((column for wanted in _LABELS for column in names if column.lower() == wanted), "")
    others = [column for column in names if column not in texts and not are_pixels([column])]
    if named or (len(others) == 1 and len(names) > 1 and (texts or len(names) > 2)):
        return named or others[0]
    known = ", ".join(map(shorten, names[:20]))
    raise UsageError(f"which column of {path} holds the label? Name it, as in '{path}:label'. Its columns: {known}.")


def _has_labels(
    split: str, columns: Mapping[str, Sequence[str]], reference: TableReference, say: Callable[[str], None]
) -> bool:
    """Return whether the files of a split have labels, which those of competitions lack for the test split.

    Raises:
        UserError: If the training files have no such column, or those of the split other columns.
    """
    names, there = set(columns["train"]), set(columns[split])
    if reference.label not in names:
        known = ", ".join(map(shorten, columns["train"][:20]))
        raise UsageError(f"{reference.path} has no column {reference.label!r} for the label. Its columns: {known}.")
    if there == names:
        return True
    if split == "test" and there == names - {reference.label}:
        say(f"the test file of {reference.path} has no column {reference.label!r} and is not read")
        return False
    raise _other_columns(Path(reference.path, split), Path(reference.path, "train"))


def _other_columns(path: Path, first: Path) -> UserError:
    return UserError(f"{path} has other columns than {first}. Files of one data set have the same.")


def _load_table(
    name: str,
    table: TextTable,
    reference: TableReference,
    counts: Mapping[str, int],
    seed: int,
    say: Callable[[str], None],
) -> Dataset:
    labels = np.array(table.column(reference.label), object)
    features = [column for column in table.names if column != reference.label]
    text = find_text(reference, table)
    if text and text not in features:
        known = ", ".join(map(shorten, features[:20]))
        raise UsageError(f"{reference.path} has no column {text!r} for the texts. Its columns: {known}.")
    say(describe(counts, "texts" if text else "a table"))
    if text:
        y, classes = _encode_labels(reference, table, labels, counts)
        rows = draw_rows(counts, y, seed)
        texts = np.array(table.column(text), object)
        dataset = build_texts(name, texts, y, classes, rows, reference.subwords)
    else:
        _refuse_options(reference, "a table")
        rows = draw_rows(counts, np.zeros(len(labels), np.int64), seed)
        dataset, reports = build_table(name, reference, table, encode_targets(reference, table), rows)
        for line in describe_columns(reports):
            say(line)
    return dataclasses.replace(dataset, rows=official_rows(rows, counts))


def _encode_labels(
    reference: TableReference, table: TextTable, labels: np.ndarray, counts: Mapping[str, int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the class numbers of texts and the names of the classes.

    Raises:
        UserError: If a label is missing, or occurs in no training text.
    """
    refuse_missing_labels(reference, table)
    classes = class_names(labels[: counts["train"]])
    check_labels(labels, classes, Path(reference.path))
    return class_numbers(labels, classes), classes


def _refuse_options(reference: TableReference, kind: str) -> None:
    if reference.subwords:
        raise UsageError(
            f"subwords are for texts, and {reference.path} has {kind}. Leave them out, or name the column of texts, as"
            f" in '{reference.path}:text=COLUMN'."
        )


def _find_files(path: Path) -> dict[str, list[Path]]:
    """Return the files of each split in a folder; several for one split that are no shards are an error."""
    if not os.path.isdir(path):
        return {}
    with reading(path, "cannot be listed", "Check its permissions."):
        entries = sorted(path.iterdir())
        there = [(entry, match) for entry in entries if (match := _FILE.fullmatch(entry.name)) and entry.is_file()]
    plain = [(entry, match) for entry, match in there if not match["front"]]
    if not any(_SPLITS[match["split"].lower()] == "train" for _, match in plain) and not any(map(_is_folder, entries)):
        plain = there  # of images, a folder may hold tables with other names
    found: dict[str, list[tuple[Path, re.Match[str]]]] = {}
    for entry, match in plain:
        found.setdefault(_SPLITS[match["split"].lower()], []).append((entry, match))
    for files in found.values():
        _check_shards(path, files)
    return {split: [entry for entry, _ in found[split]] for split in SPLIT_NAMES if split in found}


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _check_shards(path: Path, files: Sequence[tuple[Path, re.Match[str]]]) -> None:
    first, *others = files
    count = first[1]["count"]
    if others and (count is None or any(match["count"] != count for _, match in others)):
        raise UserError(f"{path} has {first[0].name} and {others[0][0].name} for one split. Remove one of them.")
    if count is not None and sorted(int(match["number"]) for _, match in files) != list(range(int(count))):
        raise UserError(f"{path} has {len(files)} of the {int(count)} shards {first[0].name}, ... Get all of them.")


def _load_pixels(
    name: str,
    files: Mapping[str, Path],
    headers: Mapping[str, Header],
    label: str,
    seed: int,
    say: Callable[[str], None],
) -> Dataset:
    read = {split: Part(*read_pixels(file, headers[split], label)) for split, file in files.items()}
    shape = read["train"].x.shape[1:]
    labels = np.concatenate([part.y for part in read.values()])
    classes = class_names(read["train"].y)
    check_labels(labels, classes, files["train"])
    say(describe({split: len(part.y) for split, part in read.items()}, f"images, {'×'.join(map(str, shape))}"))
    parts = {split: Part(part.x, class_numbers(part.y, classes)) for split, part in read.items()}
    return assemble(name, parts, classes, seed)
