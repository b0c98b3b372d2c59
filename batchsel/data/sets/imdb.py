"""IMDB reviews: a text file each, in the official archive or unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.filesystem.reading import reading
from batchsel.core.parameters import Vocabulary
from batchsel.data.builders.texts import Texts, build_text_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder, find_or_fetch
from batchsel.data.formats.archives import read_tar_members
from batchsel.errors import UserError

_ARCHIVE = "aclImdb_v1.tar.gz"
_NAME = re.compile(r"(?:^|/)(?P<split>train|test)/(?P<label>neg|pos)/(?P<number>\d+)_\d+\.txt$")


@dataclass(frozen=True)
class Options:
    """Options of a card, checked when the card is read."""

    words: Vocabulary


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Read the reviews, learn the vocabulary on the training split, and encode all splits.

    Args:
        card: The card, whose option ``words`` is used.
        seed: Seed of the validation split, which is carved from the training reviews.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``int32[n, length]`` word numbers, ``int32[n]`` classes, with its encoder.

    Raises:
        UserError: If the files are missing, damaged, or not as many as the card says.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "imdb"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: imdb is not in /nowhere, and ... Expected aclImdb_v1.tar.gz or ...
    """
    source = find_or_fetch(card, folder, lambda: _find_source(folder), f"{_ARCHIVE} or the folder aclImdb")
    return build_text_dataset(card, _read(source, card), seed, lambda split: _read(source, card)[split])


def find(card: Any, folder: DataFolder) -> str | None:
    """Return the name of the archive or folder, or None if neither exists.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "imdb"), DataFolder(Path("/nowhere")))
    """
    source = _find_source(folder)
    return source.name if source else None


def _find_source(folder: DataFolder) -> Path | None:
    unpacked, archive = folder.file("aclImdb"), folder.file(_ARCHIVE)
    if (unpacked / "train" / "pos").is_dir():
        return unpacked
    return archive if archive.is_file() else None


def _read(source: Path, card: Any) -> dict[str, Texts]:
    found: dict[str, list[tuple[int, int, str]]] = {"train": [], "test": []}
    for name, content in read_tar_members(source, _NAME.search) if source.is_file() else _read_files(source):
        match = _NAME.search(name)
        if match is None:
            continue
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{name} in {source} is not UTF-8 text ({error}). Download it again.") from error
        found[match["split"]].append((int(match["label"] == "pos"), int(match["number"]), text.replace("<br />", " ")))
    expected = {"train": card.sizes.train + card.sizes.validation, "test": card.sizes.test}
    for split, reviews in found.items():
        if len(reviews) != expected[split]:
            raise UserError(
                f"{source} holds {len(reviews):,} reviews in {split}, expected {expected[split]:,}. Get the official"
                " archive."
            )
        reviews.sort()
    return {
        split: Texts(
            np.array([text for *_, text in reviews], object), np.array([label for label, *_ in reviews], np.int32)
        )
        for split, reviews in found.items()
    }


def _read_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.glob("t*/*/*.txt"):
        if _NAME.search(path.as_posix()):
            with reading(path):
                content = path.read_bytes()
            yield path.as_posix(), content
