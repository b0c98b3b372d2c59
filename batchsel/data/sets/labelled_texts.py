"""Data sets of labeled texts in tables: which columns hold label and text stands on the card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.dataset import Dataset, Part
from batchsel.data.download.fetch import DataFolder, found_or_fetched
from batchsel.data.download.hashing import check_content
from batchsel.data.encoding.vocabulary import Encoder, learn_encoder
from batchsel.data.formats.delimited import read_delimited
from batchsel.data.splits import Rows, carve_rows, fingerprint
from batchsel.errors import UserError


class _Place(NamedTuple):
    path: Path
    member: str
    """Name of the file in an archive, or empty."""


class Texts(NamedTuple):
    """Texts and their classes.

    Example:
        >>> Texts(np.array(["good"], object), np.array([1])).labels
        array([1])
    """

    texts: np.ndarray
    """``object[n]``."""
    labels: np.ndarray
    """``int32[n]``."""


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Reads the tables, learns the vocabulary on the training part, and encodes all parts.

    Args:
        card: The card; its options name the files that are accepted (``train`` and ``test``, the first that is there;
            ``archive.zip!name`` for a file in an archive), the columns ``label`` and ``text`` (one, or several that are
            joined), names of the columns if the files have none (``columns``), whether values stand in quotes
            (``quoted``), how labels are written (``labels``, in the order of the classes), labels
            that are left out (``without``), the ``encoding``, and how many ``words`` the vocabulary has.
        seed: Chooses the validation part among the training rows.
        folder: Where the files lie or will be downloaded to.

    Returns:
        The data set: ``int32[n, length]`` word numbers, ``int32[n]`` classes, with its encoder.

    Raises:
        UserError: If a file is missing, damaged, or not what the card describes.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "sentiment140"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: sentiment140 is not in /nowhere. Expected sentiment140_random.csv.gz ...
    """

    def read(part: str) -> Texts:
        return _read(_there(card, folder, part), card)

    return text_dataset(card, {part: read(part) for part in ("train", "test")}, seed, read)


def text_dataset(card: Any, read: dict[str, Texts], seed: int, again: Callable[[str], Texts]) -> Dataset:
    """The data set that labeled texts make up: checked, split, and encoded by a vocabulary of the training part.

    Args:
        card: The card: name, task, sizes, content, class names and the option ``words`` are used.
        read: The parts "train" and "test".
        seed: Chooses the validation part among the training texts.
        again: Reads a part again: kept, the texts would fill the memory of runs that need only numbers.

    Raises:
        UserError: If the texts are not those that the card describes.
    """
    train, test = read["train"], read["test"]
    digests = {"texts_train": _joined(train.texts), "texts_test": _joined(test.texts)}
    check_content(digests, card.content, where=card.name, remedy="Get the files that the card describes.")
    carved, kept = carve_rows(train.labels, card.sizes.validation, seed)
    rows = Rows(kept, carved, np.arange(len(test.labels)))
    some = {part: (test if part == "test" else train, chosen) for part, chosen in rows._asdict().items()}
    parts = {part: Texts(held.texts[chosen], held.labels[chosen]) for part, (held, chosen) in some.items()}
    arrays, encoder = encoded(parts, card.options["words"], card.input_shape[0])
    return Dataset(
        card.name,
        card.task,
        **arrays,
        class_names=card.class_names,
        split=fingerprint(kept, carved),
        encoder=encoder,
        rows=rows,
        raw=lambda name: again("test" if name == "test" else "train").texts[getattr(rows, name)],
    )


def encoded(parts: dict[str, Texts], words: int, length: int) -> tuple[dict[str, Part], Encoder]:
    """Texts as numbers of words, by a vocabulary of the training part.

    Args:
        parts: The texts of each part.
        words: Numbers in use, padding and unknown among them.
        length: Words that are kept of a text.

    Returns:
        ``int32[n, length]`` words and ``int32[n]`` classes of each part, and the encoder.

    Example:
        >>> texts = Texts(np.array(["a b", "b"], object), np.array([0, 1], np.int32))
        >>> encoded({"train": texts}, 4, 2)[0]["train"].x.tolist()
        [[3, 2], [2, 0]]
    """
    encoder = learn_encoder(parts["train"].texts.tolist(), words, length)
    return {part: Part(encoder.encode(held.texts.tolist()), held.labels) for part, held in parts.items()}, encoder


def find(card: Any, folder: DataFolder) -> str | None:
    """What of the data is in the folder already.

    Args:
        card: The card.
        folder: The folder.

    Returns:
        The names of the files; None if one is missing.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "sentiment140"), DataFolder(Path("/nowhere")))
    """
    there = [_first(card, folder, part) for part in ("train", "test")]
    return ", ".join(sorted({place.path.name for place in there})) if all(there) else None


def _first(card: Any, folder: DataFolder, part: str) -> _Place | None:
    names = (name.partition("!") for name in card.options[part])
    places = (_Place(folder.file(name), member) for name, _, member in names)
    return next((place for place in places if place.path.is_file()), None)


def _there(card: Any, folder: DataFolder, part: str) -> _Place:
    expected = " or ".join(name.replace("!", " with ") for name in card.options[part])
    missing = f"Expected {expected}. {card.by_hand}".rstrip()
    missing += " Another folder can be named with --data-dir or BATCHSEL_DATA."
    return found_or_fetched(card, folder, lambda: _first(card, folder, part), missing)


def _read(place: _Place, card: Any) -> Texts:
    path, options = place.path, card.options
    form = {
        "names": tuple(options.get("columns", ())),
        "encoding": options.get("encoding", "utf-8"),
        "quoted": options.get("quoted", True),
    }
    table = read_delimited(path, member=place.member, **form)
    number = {label: place for place, label in enumerate(options["labels"])}
    left_out = set(options.get("without", ()))
    names = [options["text"]] if isinstance(options["text"], str) else options["text"]
    labels = table.column(options["label"])
    texts = [" ".join(values) for values in zip(*(table.column(name) for name in names), strict=True)]
    rows = [row for row, label in enumerate(labels) if label not in left_out]
    strange = sorted({labels[row] for row in rows} - set(number))
    if strange:
        row = next(row for row in rows if labels[row] == strange[0])
        raise UserError(f"{path}: the label {strange[0]!r} in row {row} is none of {', '.join(number)}.")
    empty = [row for row in rows if not texts[row].strip()]
    if empty:
        raise UserError(f"{path}: {len(empty)} texts are empty, the first in row {empty[0]}. Remove those rows.")
    return Texts(
        np.array([texts[row] for row in rows], object), np.array([number[labels[row]] for row in rows], np.int32)
    )


def _joined(texts: np.ndarray) -> np.ndarray:
    return np.frombuffer("\n".join(texts.tolist()).encode(), np.uint8)
