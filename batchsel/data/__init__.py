"""Data sets: one file for each, and the code that they share.

    dataset = data.load("fashion_mnist")
    dataset.train.x, dataset.train.y

The layers above find the card (`batchsel.cards`) and pass it in; only `load` looks a name up itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from batchsel.core.filesystem.reading import shorten_path
from batchsel.data.dataset import Dataset, Split, check_arrays
from batchsel.data.download.fetch import DataFolder, data_folder
from batchsel.data.loaders import find_loader, resolve_card
from batchsel.data.sources import ArraySource, SequenceSource, Source, as_source, source_of
from batchsel.data.storage.disk_space import check_disk_space
from batchsel.data.user.references import has_no_card, load_by_name
from batchsel.errors import UsageError, UserError

__all__ = [
    "ArraySource",
    "DataFolder",
    "Dataset",
    "SequenceSource",
    "Source",
    "Split",
    "as_source",
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
    """Load a data set, download it if need be, and check it.

    Args:
        card: The name of the data set, as `batchsel datasets list` shows it, or its card; or
            ``"./FILE.py:FUNCTION"`` for a user function, which is called with the seed and returns a `Dataset`; a user
            table, text or folder of images; or ``tfds:NAME``.
        seed: Seed of the validation split. Data and test split are the same for every seed.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.
        offline: Whether downloads are forbidden.
        progress: Creates a progress bar for a label, see `batchsel.data.storage.progress`; None for silence.

    Raises:
        UserError: If the data are not available, not what the card describes, or cannot be trained on.

    Example:
        >>> dataset = load("iris", seed=3)
        >>> len(dataset.train), len(dataset.validation), len(dataset.test)
        (90, 30, 30)
    """
    if isinstance(card, str) and has_no_card(card):
        dataset = load_by_name(card, seed, folder, offline, progress)
    else:
        card = _find_card(card) if isinstance(card, str) else card
        local = DataFolder(data_folder(card.folder, folder), offline, progress)
        card = resolve_card(card, local)
        dataset = find_loader(card.loader).load(card, seed, local)
        _check_split(dataset, card, seed)
    dataset.check()
    return dataset


def _find_card(name: str) -> Any:
    """Return the card of a name: the one place where data know of cards, so that a name is enough in Python too."""
    from batchsel import cards

    if not name or name.endswith(".py") or any(sign in name for sign in "/\\:"):
        raise UsageError(f"there is no file or folder {shorten_path(name)!r}. Expected ./FILE.py:NAME, or other data.")
    return cards.load("datasets", name)


def find(card: Any, *, folder: str | os.PathLike[str] | None = None) -> str | None:
    """Return a description of the form in which the data are already there, or None if any are missing.

    Args:
        card: The card of the data set.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "iris"))
        'no files needed'
    """
    local = DataFolder(data_folder(card.folder, folder))
    find_form = getattr(find_loader(card.loader), "find", None)
    if find_form:
        return find_form(resolve_card(card, local), local)
    if not card.files:
        return None if card.by_hand else "no files needed"
    return "downloaded files" if all(local.file(file.name).is_file() for file in card.files) else None


def download(
    card: Any,
    *,
    folder: str | os.PathLike[str] | None = None,
    offline: bool = False,
    progress: Callable[[str], Any] | None = None,
) -> str:
    """Download the missing files of a data set.

    Args:
        card: The card of the data set.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.
        offline: Whether downloads are forbidden.
        progress: Creates a progress bar for a label; None for silence.

    Returns:
        A description of the form in which the data are there now.

    Raises:
        UserError: If a file is not available, or has to be put there by hand, or the disk has no space for all.

    Example:
        >>> from batchsel import cards
        >>> download(cards.load("datasets", "wine"))
        'no files needed'
    """
    found = find(card, folder=folder)
    if found:
        return found
    local = DataFolder(data_folder(card.folder, folder), offline, progress)
    if not card.files:
        raise UserError(
            f"{card.name} cannot be downloaded. {card.by_hand or 'Its card names no files.'} The folder is "
            f"{local.path.absolute()}; the homepage of the data set is {card.homepage}. "
            f"'batchsel datasets verify {card.name}' checks that everything is there."
        )
    check_disk_space(local.path, local.missing_bytes(card.files) or 0, card.name)
    for file in card.files:
        local.fetch(file)
    return "downloaded files"


def _check_split(dataset: Dataset, card: Any, seed: int) -> None:
    expected = card.content.get("split")
    if seed == 0 and expected and dataset.split_fingerprint != expected:
        raise UserError(
            f"{card.name}: the split of seed 0 has the fingerprint {dataset.split_fingerprint[:8]}..., the card says "
            f"{expected[:8]}.... Runs on it would not be comparable with others; correct the sizes, or the card."
        )
