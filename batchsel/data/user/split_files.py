"""User data with a file for each split: a folder of train.csv and test.csv, or one npz like those of Keras."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from batchsel.core.filesystem.reading import reading, shorten_path
from batchsel.data.builders.user_texts import build_texts, is_text_column
from batchsel.data.dataset import Dataset, split_arrays
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder
from batchsel.data.encoding.subwords import SubwordEncoder
from batchsel.data.encoding.vocabulary import WordEncoder
from batchsel.data.formats.delimited import Header, TextTable, read_delimited, read_header
from batchsel.data.formats.npz import read_npz
from batchsel.data.formats.pixel_table import are_pixels, read_pixels
from batchsel.data.splits import SPLIT_NAMES, SplitRows, carve_rows, draw_test_rows, fingerprint
from batchsel.data.user.table import build_table, describe_columns, encode_targets
from batchsel.data.user.table_reference import TableReference, read_subwords
from batchsel.errors import UsageError, UserError, shorten

_FORM = re.compile(r"(?P<path>.+?)(?P<options>(?::(?:text|subwords)=[^:]*)*)(?::(?P<label>[^:]*))?", re.DOTALL)
_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_LABELS = ("label", "class", "target", "y")
_HELD_OUT = {"validation": 0.1, "test": 0.2}
"""Share of the samples that is drawn for a split that has no file."""


class _Part(NamedTuple):
    x: np.ndarray
    y: np.ndarray


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
    return ("/" in name or "\\" in name or name.startswith(".")) and _find_files(path).get("train") is not None


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
    return TableReference(match["path"], match["label"] or "", text=options.get("text", ""), subwords=subwords)


def list_split_files(name: str) -> list[Path]:
    """Return the files of a data set; none if they are missing.

    Args:
        name: As for `is_split_files`.
    """
    path = split_files_path(name)
    files = _find_files(path).values() if path.is_dir() else [path]
    return [file for file in files if file is not None and file.is_file()]


def load_split_files(name: str, seed: int = 0, say: Callable[[str], None] = lambda line: None) -> Dataset:
    """Read a folder of train.csv, test.csv and, if there is one, valid.csv; or an npz.

    A column for each pixel (``pixel0``, ``pixel1``, ... or ``1x1``, ``1x2``, ...), bytes, makes images: square, gray
    or of three channels side by side. One column of text makes texts, encoded by the words of the training split. An
    npz has ``x_train``, ``y_train``, ``x_test`` and ``y_test``, and possibly ``x_valid``, ``y_valid`` and a
    ``vocabulary``, the words from number 2 on; or ``x`` and ``y`` alone. Without a file for it, a tenth of the training
    samples is drawn for validation, and a fifth for the test split.

    Args:
        name: As for `is_split_files`. The column of the label is that called "label", "class", "target" or "y", or the
            one after the colon. Options before it are ``:text=review``, the column of texts to use alone, and
            ``:subwords=4000`` to encode them by so many.
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
    path, label = Path(reference.path), reference.label
    if path.suffix.lower() == ".npz":
        if str(path) != str(Path(name)):
            raise UsageError(f"{path} holds numbers, without columns. Leave the rest of {shorten(name)!r} out.")
        return _load_npz(name, path, seed, say)
    files = {split: file for split, file in _find_files(path).items() if file is not None}
    headers = {split: read_header(file) for split, file in files.items()}
    names = headers["train"].names
    label = label or next((column for wanted in _LABELS for column in names if column.lower() == wanted), "")
    if label not in names:
        known = ", ".join(map(shorten, names[:20]))
        raise UsageError(
            f"which column of {path} holds the label? Name it, as in '{path}:label'. Its columns: {known}."
        )
    for split, file in files.items():
        if headers[split].names != names:
            raise UserError(f"{file} has other columns than {files['train']}. Files of one data set have the same.")
    if are_pixels([column for column in names if column != label]):
        _refuse_options(reference, "images")
        return _load_pixels(name, files, headers, label, seed, say)
    tables = {split: read_delimited(file) for split, file in files.items()}
    counts = {split: len(table.columns[0]) for split, table in tables.items()}
    first = tables["train"]
    columns = tuple(
        tuple(itertools.chain(*parts)) for parts in zip(*(table.columns for table in tables.values()), strict=True)
    )
    return _load_table(name, first._replace(columns=columns), reference._replace(label=label), counts, seed, say)


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
    text = reference.text
    if not text and len(features) == 1 and (reference.subwords or is_text_column(table.column(features[0]))):
        text = features[0]
    if text and text not in features:
        known = ", ".join(map(shorten, features[:20]))
        raise UsageError(f"{reference.path} has no column {text!r} for the texts. Its columns: {known}.")
    say(_describe(counts, "texts" if text else "a table"))
    if text:
        classes = _classes(labels[: counts["train"]])
        _check_labels(labels, classes, Path(reference.path))
        y = _numbers(labels, classes)
        rows = _rows(counts, y, seed)
        texts = np.array(table.column(text), object)
        dataset = build_texts(name, texts, y, classes, rows, reference.subwords)
    else:
        _refuse_options(reference, "a table")
        rows = _rows(counts, np.zeros(len(labels), np.int64), seed)
        dataset, reports = build_table(name, reference, table, encode_targets(reference, table), rows)
        for line in describe_columns(reports):
            say(line)
    return dataclasses.replace(dataset, rows=_official(rows, counts))


def _refuse_options(reference: TableReference, kind: str) -> None:
    if reference.subwords:
        raise UsageError(
            f"subwords are for texts, and {reference.path} has {kind}. Leave them out, or name the column of texts, as"
            f" in '{reference.path}:text=COLUMN'."
        )


def _find_files(path: Path) -> dict[str, Path | None]:
    """Return the file of each split in a folder; two files for one split are an error."""
    if not os.path.isdir(path):
        return {}
    with reading(path, "cannot be listed", "Check its permissions."):
        there = {entry.name.lower(): entry for entry in path.iterdir() if entry.is_file()}
    found: dict[str, Path | None] = {}
    for split, names in SPLIT_NAMES.items():
        files = [there[name + suffix] for name in names for suffix in _SUFFIXES if name + suffix in there]
        if len(files) > 1:
            raise UserError(f"{path} has {files[0].name} and {files[1].name} for one split. Remove one of them.")
        found[split] = files[0] if files else None
    return found


def _load_pixels(
    name: str,
    files: Mapping[str, Path],
    headers: Mapping[str, Header],
    label: str,
    seed: int,
    say: Callable[[str], None],
) -> Dataset:
    read = {split: _Part(*read_pixels(file, headers[split], label)) for split, file in files.items()}
    shape = read["train"].x.shape[1:]
    labels = np.concatenate([part.y for part in read.values()])
    classes = _classes(read["train"].y)
    _check_labels(labels, classes, files["train"])
    say(_describe({split: len(part.y) for split, part in read.items()}, f"images, {'×'.join(map(str, shape))}"))
    parts = {split: _Part(part.x, _numbers(part.y, classes)) for split, part in read.items()}
    return _assemble(name, parts, classes, seed)


def _load_npz(name: str, path: Path, seed: int, say: Callable[[str], None]) -> Dataset:
    with reading(path, "is not a whole npz file"), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        members = arrays.files
    valid = next((word for word in SPLIT_NAMES["validation"] if f"x_{word}" in members), None)
    words = {"train": "train", **({"validation": valid} if valid else {}), "test": "test"}
    if "x_train" not in members and {"x", "y"} <= set(members):
        words = {"train": ""}  # all samples in one part
    words = {split: word for split, word in words.items() if f"x_{word}" in members or split == "train"}
    names = {split: [f"{axis}_{word}" if word else axis for axis in "xy"] for split, word in words.items()}
    wanted = list(itertools.chain(*names.values()))
    missing = [member for member in wanted if member not in members]
    if missing:
        raise UserError(
            f"{path} has no {missing[0]}; it has {', '.join(map(shorten, members[:10])) or 'nothing'}. Expected"
            " x_train, y_train, x_test and y_test, as in the files of Keras, or x and y."
        )
    vocabulary = [member for member in ("vocabulary", "subwords") if member in members][:1]
    arrays = read_npz(path, [*wanted, *vocabulary])
    parts = {split: _Part(*(arrays[member] for member in both)) for split, both in names.items()}
    for split, part in parts.items():
        if (
            part.x.ndim < 2
            or len(part.x) != part.y.size
            or part.x.dtype.kind not in "buif"
            or part.y.dtype.kind not in "buif"
        ):
            raise UserError(
                f"{path}: {split} is {part.x.dtype}{list(part.x.shape)} with {part.y.size} labels. Expected numbers, a"
                " label for each sample."
            )
        if part.x.shape[1:] != parts["train"].x.shape[1:]:
            raise UserError(f"{path}: samples of {split} have another shape than those to train on.")
    parts = {split: _Part(_as_inputs(part.x), part.y.reshape(-1)) for split, part in parts.items()}
    encoder: WordEncoder | PaddedSubwordEncoder | None = None
    if "vocabulary" in vocabulary:
        encoder = WordEncoder(tuple(map(str, arrays["vocabulary"])), parts["train"].x.shape[1])
    elif vocabulary:
        encoder = PaddedSubwordEncoder(SubwordEncoder(str(arrays["subwords"])), parts["train"].x.shape[1])
    kind = "texts" if encoder else f"samples of shape {'×'.join(map(str, parts['train'].x.shape[1:]))}"
    say(_describe({split: len(part.y) for split, part in parts.items()}, kind))
    whole = all((part.y == np.round(part.y)).all() and part.y.min() >= 0 for part in parts.values())
    if not whole or parts["train"].y.dtype.kind == "f":
        return _assemble(
            name, {split: part._replace(y=part.y.astype(np.float32)) for split, part in parts.items()}, (), seed
        )
    classes = tuple(map(str, range(int(parts["train"].y.max()) + 1)))
    _check_labels(np.concatenate([part.y for part in parts.values()]).astype(str).astype(object), classes, path)
    parts = {split: part._replace(y=part.y.astype(np.int32)) for split, part in parts.items()}
    return _assemble(name, parts, classes, seed, encoder)


def _as_inputs(x: np.ndarray) -> np.ndarray:
    """Return images with a channel, and numbers in the types that models take."""
    if x.dtype == np.uint8:
        return x[..., None] if x.ndim == 3 else x
    return x.astype(np.float32 if x.dtype.kind == "f" else np.int32)


def _assemble(
    name: str,
    parts: Mapping[str, _Part],
    classes: tuple[str, ...],
    seed: int,
    encoder: WordEncoder | PaddedSubwordEncoder | None = None,
) -> Dataset:
    counts = {split: len(part.y) for split, part in parts.items()}
    x, y = (np.concatenate([part[axis] for part in parts.values()]) for axis in (0, 1))
    rows = _rows(counts, y if classes else np.zeros(len(y), np.int64), seed)
    return Dataset(
        name,
        "classification" if classes else "regression",
        *split_arrays(x, y, rows),
        class_names=classes,
        split_fingerprint=fingerprint(*rows),
        encoder=encoder,
        rows=_official(rows, counts),
    )


def _rows(counts: Mapping[str, int], strata: np.ndarray, seed: int) -> SplitRows:
    """Return the rows of each split among the samples of all parts, one part after the other."""
    ends = np.cumsum(list(counts.values()))
    places = {split: np.arange(end - counts[split], end) for split, end in zip(counts, ends, strict=True)}
    train = places["train"]
    for split in ("test", "validation"):
        if split in places:
            continue
        count = max(1, round(_HELD_OUT[split] * counts["train"]))
        if split == "test":  # the same for every seed
            drawn = draw_test_rows(strata[train], count)
            kept = np.setdiff1d(np.arange(len(train)), drawn)
        else:
            drawn, kept = carve_rows(strata[train], count, seed)
        places[split], train = train[drawn], train[kept]
    return SplitRows(train, places["validation"], places["test"])


def _official(rows: SplitRows, counts: Mapping[str, int]) -> SplitRows | None:
    """Return the rows as `Dataset.rows` has them; None where the validation split has a file of its own."""
    if "validation" in counts:
        return None
    return rows if "test" not in counts else rows._replace(test=rows.test - counts["train"])


def _classes(labels: np.ndarray) -> tuple[str, ...]:
    found = sorted(set(labels.tolist()))
    try:
        return tuple(sorted(found, key=float))
    except ValueError:
        return tuple(found)


def _numbers(labels: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    number = {name: place for place, name in enumerate(classes)}
    return np.array([number[label] for label in labels.tolist()], np.int32)


def _check_labels(labels: np.ndarray, classes: tuple[str, ...], path: Path) -> None:
    if len(classes) < 2:
        raise UserError(f"{shorten_path(path)}: all training samples have one label. Expected two classes or more.")
    unknown = sorted(set(labels.tolist()) - set(classes))
    if unknown:
        raise UserError(
            f"{shorten_path(path)}: the label {shorten(str(unknown[0]))!r} of another split occurs in none of the"
            " training samples."
        )


def _describe(counts: Mapping[str, int], kind: str) -> str:
    """Describe the files, as in "2 parts (60,000 train, 10,000 test): images, 28×28×1"."""
    sizes = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    return f"{len(counts)} parts ({sizes}): {kind}" if len(counts) > 1 else f"one part ({sizes}): {kind}"
