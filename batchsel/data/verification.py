"""Whether a data set is that of its card: the bytes of its files, and what is in them."""

from __future__ import annotations

import os
from typing import Any

from batchsel import data
from batchsel.data.download.hashing import sha256_of
from batchsel.errors import UserError

RIGHT, DIFFERENT, MISSING = "right", "different", "missing"


def verify(card: Any, *, folder: str | os.PathLike[str] | None = None) -> tuple[data.Dataset, dict[str, str]]:
    """Reads a data set whole and compares it with its card; never downloads.

    Files may differ from the card where it has hashes of the content, too: they may have been packed anew, or the same
    data lie there in another form.

    Args:
        card: The card.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.

    Returns:
        The data set, and what `compare_files` found.

    Raises:
        UserError: If data are missing or wrong; the files that differ from the card are named.

    Example:
        >>> from batchsel import cards
        >>> dataset, files = verify(cards.load("datasets", "iris"))
        >>> len(dataset.test), files
        (30, {})
    """
    place = data.DataFolder(data.data_folder(card.folder, folder))
    files = compare_files(card, place)
    different = [str(place.file(name)) for name, state in files.items() if state == DIFFERENT]
    named = f"Not as on the card: {', '.join(different)}. Delete and fetch again what is named here."
    try:
        dataset = data.load(card, folder=folder, offline=True)
    except UserError as error:
        raise UserError(f"{error} {named}" if different else str(error)) from error
    if different and not set(card.content) - {"split"}:
        raise UserError(f"{card.name} is not right. {named}")
    return dataset, files


def compare_files(card: Any, folder: data.DataFolder) -> dict[str, str]:
    """Compares the bytes of files with the card.

    Args:
        card: The card: its files are looked at.
        folder: Where they lie.

    Returns:
        For each file ``"right"``, ``"different"`` or ``"missing"``, by name.

    Example:
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> card = SimpleNamespace(files=(SimpleNamespace(name="a.gz", sha256="0" * 64),))
        >>> compare_files(card, data.DataFolder(Path("/nowhere")))
        {'a.gz': 'missing'}
    """
    found = {}
    for file in card.files:
        path = folder.file(file.name)
        if path.is_file():
            found[file.name] = RIGHT if sha256_of(path) == file.sha256 else DIFFERENT
        else:
            found[file.name] = MISSING
    return found
