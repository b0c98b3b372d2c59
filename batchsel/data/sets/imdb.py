"""IMDB reviews: a text file each, in the official archive or unpacked."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder, found_or_fetched
from batchsel.data.sets.labelled_texts import Texts, text_dataset
from batchsel.errors import UserError

_ARCHIVE = "aclImdb_v1.tar.gz"
_NAME = re.compile(r"(?:^|/)(?P<part>train|test)/(?P<label>neg|pos)/(?P<number>\d+)_\d+\.txt$")


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Reads the reviews, learns the vocabulary on the training part, and encodes all parts.

    Args:
        card: The card; of its options ``words`` is used.
        seed: Chooses the validation part among the training reviews.
        folder: Where the files lie or will be downloaded to.

    Returns:
        The data set: ``int32[n, length]`` word numbers, ``int32[n]`` classes, with its encoder.

    Raises:
        UserError: If the files are missing, damaged, or not as many as the card says.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "imdb"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: imdb is not in /nowhere. Expected aclImdb_v1.tar.gz or the folder aclImdb. ...
    """
    missing = (
        f"Expected {_ARCHIVE} or the folder aclImdb. Another folder can be named with --data-dir or BATCHSEL_DATA."
    )
    place = found_or_fetched(card, folder, lambda: _place(folder), missing)
    return text_dataset(card, _read(place, card), seed, lambda part: _read(place, card)[part])


def find(card: Any, folder: DataFolder) -> str | None:
    """What of the data is in the folder already.

    Args:
        card: The card.
        folder: The folder.

    Returns:
        The name of the archive or folder; None if there is none.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "imdb"), DataFolder(Path("/nowhere")))
    """
    place = _place(folder)
    return place and place.name


def _place(folder: DataFolder) -> Path | None:
    unpacked, archive = folder.file("aclImdb"), folder.file(_ARCHIVE)
    if (unpacked / "train" / "pos").is_dir():
        return unpacked
    return archive if archive.is_file() else None


def _read(place: Path, card: Any) -> dict[str, Texts]:
    found: dict[str, list[tuple[int, int, str]]] = {"train": [], "test": []}
    for match, content in (_members if place.is_file() else _files)(place):
        try:
            text = content().decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{match.string} in {place} is no UTF-8 text ({error}). Get it anew.") from error
        found[match["part"]].append((int(match["label"] == "pos"), int(match["number"]), text.replace("<br />", " ")))
    expected = {"train": card.sizes.train + card.sizes.validation, "test": card.sizes.test}
    for part, reviews in found.items():
        if len(reviews) != expected[part]:
            raise UserError(
                f"{place} holds {len(reviews):,} reviews in {part}, expected {expected[part]:,}. Get the official"
                " archive."
            )
        reviews.sort()
    return {
        part: Texts(
            np.array([text for *_, text in reviews], object), np.array([label for label, *_ in reviews], np.int32)
        )
        for part, reviews in found.items()
    }


def _members(archive: Path) -> Iterator[tuple[re.Match[str], Any]]:
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                match = _NAME.search(member.name)
                if match and member.isfile():
                    yield match, opened.extractfile(member).read
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(f"{archive} is damaged or cut short ({error}). Delete it and get it anew.") from error


def _files(folder: Path) -> Iterator[tuple[re.Match[str], Any]]:
    for path in folder.glob("t*/*/*.txt"):
        match = _NAME.search(path.as_posix())
        if match:
            yield match, path.read_bytes
