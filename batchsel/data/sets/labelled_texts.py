"""Data sets of labeled texts in tables, whose cards name the columns of labels and texts."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from batchsel.core.parameters import Between, Encoding, FileNames, Names, OptionTable, Vocabulary
from batchsel.data.builders.texts import Texts, build_text_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder, find_or_fetch
from batchsel.data.formats.delimited import read_delimited
from batchsel.data.splits import draw_sample_rows
from batchsel.errors import UserError


class _TableFile(NamedTuple):
    path: Path
    member: str
    """Name of the file in an archive, or empty."""


@dataclass(frozen=True)
class Options:
    """Options of a card, checked when the card is read."""

    train: FileNames
    test: FileNames
    label: str
    text: str | FileNames
    labels: FileNames
    words: Vocabulary
    drawn_test: Annotated[int, Between(1, 2**31)] | None = None
    subwords: Annotated[int, Between(257, 2**20)] | None = None
    columns: Names = ()
    quoted: bool = True
    encoding: Encoding = "utf-8"
    without: Names = ()
    sample: bool = False
    alternative: OptionTable | None = None


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Read the tables, learn the vocabulary on the training split, and encode all splits.

    Args:
        card: The card; its options name the accepted files (``train`` and ``test``, of which the first that exists is
            read; ``archive.zip!name`` for a file in an archive), the columns ``label`` and ``text`` (one, or several
            to be joined), names of the columns if the files have none (``columns``), whether values are quoted
            (``quoted``), the labels as they are written (``labels``, in the order of the classes), labels to leave out
            (``without``), the ``encoding``, how many training rows are the test part where there is no test file
            (``drawn_test``), and the number of ``words`` of the vocabulary, or of
            ``subwords``, which take their place. With ``sample``, as many training rows as the card counts are drawn
            from all, each text once. ``alternative`` is a table of options that hold where the files are not there.
        seed: Seed of the validation split, which is carved from the training rows.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``int32[n, length]`` word numbers, ``int32[n]`` classes, with its encoder.

    Raises:
        UserError: If a file is missing, damaged, or not what the card describes.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "sentiment140"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: sentiment140 is not in /nowhere, and ... Expected training.1600000.processed.noemo...
    """

    def read(split: str) -> Texts:
        expected = " or ".join(name.replace("!", " with ") for name in card.options[split])
        texts = _read(find_or_fetch(card, folder, lambda: _find(card, folder, split), expected), card)
        return _draw_sample(texts, card) if split == "train" and card.options.get("sample") else texts

    drawn = card.options.get("drawn_test")
    without_test = drawn and _find(card, folder, "train") and not _find(card, folder, "test")
    if without_test:
        print(
            f"note: {card.name} has no test file here; {drawn:,} of its training rows are the test part.",
            file=sys.stderr,
        )
    official = {split: read(split) for split in (("train",) if without_test else ("train", "test"))}
    return build_text_dataset(card, official, seed, read)


def find(card: Any, folder: DataFolder) -> str | None:
    """Return the names of the files, or None if one is missing.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "sentiment140"), DataFolder(Path("/nowhere")))
    """
    found = [file.path.name for split in ("train", "test") if (file := _find(card, folder, split))]
    enough = len(found) == 2 or (found and "drawn_test" in card.options and _find(card, folder, "train"))
    return ", ".join(sorted(set(found))) if enough else None


def resolve(card: Any, folder: DataFolder) -> Any:
    """Return the card as it holds for the files that are there: with its alternative options where its own are not.

    Hashes of the content are of the card's own files; for those of the alternative there are none.

    Example:
        >>> from batchsel import cards
        >>> sample = resolve(cards.load("datasets", "sentiment140_sample"), DataFolder(Path("/nowhere")))
        >>> sample.options["test"][0], sample.content
        ('testdata.manual.2009.06.14.csv', {})
    """
    alternative = card.options.get("alternative")
    if alternative is None or all(_find(card, folder, split) for split in ("train", "test")):
        return card
    options = {name: value for name, value in card.options.items() if name != "alternative"}
    return dataclasses.replace(card, options={**options, **alternative}, content={})


def _draw_sample(texts: Texts, card: Any) -> Texts:
    """Draw as many rows as training and validation have; of equal texts, the first alone may be drawn."""
    rows: dict[str, int] = {}
    for row, text in enumerate(texts.texts):
        rows.setdefault(text, row)
    first = np.fromiter(rows.values(), np.int64)
    wanted = card.sizes.train + card.sizes.validation
    if len(first) <= wanted:
        raise UserError(
            f"{card.name} draws {wanted:,} texts, but the files hold {len(first):,} different ones. Get the files that"
            " the card describes."
        )
    return texts.select(first[draw_sample_rows(texts.labels[first], wanted)])


def _find(card: Any, folder: DataFolder, split: str) -> _TableFile | None:
    names = (name.partition("!") for name in card.options[split])
    files = (_TableFile(folder.file(name), member) for name, _, member in names)
    return next((file for file in files if file.path.is_file()), None)


def _read(file: _TableFile, card: Any) -> Texts:
    path, options = file.path, card.options
    table = read_delimited(
        path,
        member=file.member,
        names=tuple(options.get("columns", ())),
        encoding=options.get("encoding", "utf-8"),
        quoted=options.get("quoted", True),
    )
    columns = [options["text"]] if isinstance(options["text"], str) else options["text"]
    labels = table.column(options["label"])
    texts = [" ".join(values) for values in zip(*map(table.column, columns), strict=True)]
    left_out = set(options.get("without", ()))
    rows = [row for row, label in enumerate(labels) if label not in left_out]
    number = {label: number for number, label in enumerate(options["labels"])}
    unknown = sorted({labels[row] for row in rows} - set(number))
    if unknown:
        row = next(row for row in rows if labels[row] == unknown[0])
        raise UserError(f"{path}: the label {unknown[0]!r} in row {row} is not one of {', '.join(number)}.")
    empty = [row for row in rows if not texts[row].strip()]
    if empty:
        raise UserError(f"{path}: {len(empty)} texts are empty, the first in row {empty[0]}. Remove those rows.")
    return Texts(
        np.array([texts[row] for row in rows], object), np.array([number[labels[row]] for row in rows], np.int32)
    )
