"""Data sets: one file for each, and what they share.

The layer above finds the card (`batchsel.cards`) and passes it in, so that data need not know about cards:

    card = cards.load("datasets", "fashion_mnist")
    dataset = data.load(card, seed=0)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from batchsel.data.dataset import Dataset, Part, check_arrays
from batchsel.data.download.disk_space import check_space
from batchsel.data.download.fetch import DataFolder, data_folder
from batchsel.data.loaders import find_loader, load_named
from batchsel.data.sources import ArraySource, SequenceSource, Source, source_of
from batchsel.errors import UserError

__all__ = [
    "ArraySource",
    "DataFolder",
    "Dataset",
    "Part",
    "SequenceSource",
    "Source",
    "check_arrays",
    "data_folder",
    "download",
    "find",
    "load",
    "source_of",
]


def load(
    card: Any,
    seed: int = 0,
    *,
    folder: str | os.PathLike[str] | None = None,
    offline: bool = False,
    progress: Callable[[str], Any] | None = None,
) -> Dataset:
    """Loads a data set, downloading it first if need be, and checks it.

    Args:
        card: The card of the data set, or text ``"./FILE.py:FUNCTION"`` for a function of the user's, which
            is called with the seed and returns a `Dataset`; a table, text or folder of pictures of the user's; or
            ``tfds:NAME``.
        seed: Chooses the validation part. Data and test part are the same for every seed.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.
        offline: Whether downloads are forbidden.
        progress: Makes a progress bar for a label, see `batchsel.data.download.progress`; None for silence.

    Returns:
        The data set, split.

    Raises:
        UserError: If the data cannot be had, or are not what the card describes, or cannot be trained on.

    Example:
        >>> from batchsel import cards
        >>> dataset = load(cards.load("datasets", "iris"), seed=3)
        >>> len(dataset.train), len(dataset.validation), len(dataset.test)
        (90, 30, 30)
    """
    if isinstance(card, str):
        dataset = load_named(card, seed, folder, offline, progress)
    else:
        place = DataFolder(data_folder(card.folder, folder), offline, progress)
        dataset = find_loader(card.loader).load(card, seed, place)
        _check_split(dataset, card, seed)
    dataset.check()
    return dataset


def find(card: Any, *, folder: str | os.PathLike[str] | None = None) -> str | None:
    """Says in which form the data are there already.

    Args:
        card: The card of the data set.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.

    Returns:
        The form in words; None if the data, or a part of them, are missing.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "iris"))
        'no files needed'
    """
    place = DataFolder(data_folder(card.folder, folder))
    own = getattr(find_loader(card.loader), "find", None)
    if own:
        return own(card, place)
    if not card.files:
        return None if card.by_hand else "no files needed"
    return "downloaded files" if all(place.file(file.name).is_file() for file in card.files) else None


def download(
    card: Any,
    *,
    folder: str | os.PathLike[str] | None = None,
    offline: bool = False,
    progress: Callable[[str], Any] | None = None,
) -> str:
    """Downloads what is missing of a data set.

    Args:
        card: The card of the data set.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.
        offline: Whether downloads are forbidden.
        progress: Makes a progress bar for a label; None for silence.

    Returns:
        In which form the data are there now, in words.

    Raises:
        UserError: If a file cannot be had, or has to be put there by hand, or there is no space for all of them.

    Example:
        >>> from batchsel import cards
        >>> download(cards.load("datasets", "wine"))
        'no files needed'
    """
    found = find(card, folder=folder)
    if found:
        return found
    place = DataFolder(data_folder(card.folder, folder), offline, progress)
    if not card.files:
        raise UserError(
            f"{card.name} cannot be downloaded. {card.by_hand or 'Its card names no files.'} The folder is "
            f"{place.path.absolute()}; the data set is at home at {card.homepage}. "
            f"'batchsel datasets verify {card.name}' tells whether all is there."
        )
    check_space(place.path, place.missing_bytes(card.files) or 0, card.name)
    for file in card.files:
        place.fetch(file)
    return "downloaded files"


def _check_split(dataset: Dataset, card: Any, seed: int) -> None:
    expected = card.content.get("split")
    if seed == 0 and expected and dataset.split != expected:
        raise UserError(
            f"{card.name}: the split of seed 0 has the fingerprint {dataset.split[:8]}..., the card says "
            f"{expected[:8]}.... Runs on it could not be compared with others; correct the sizes, or the card."
        )
