"""Verify a data set against its card, and count samples that its splits share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from batchsel import data
from batchsel.data.dataset import Dataset, Split
from batchsel.data.sources import Source
from batchsel.data.storage.hashing import file_sha256
from batchsel.errors import UserError

RIGHT, DIFFERENT, MISSING = "right", "different", "missing"
_BLOCK = 1024


def verify(card: Any, *, folder: str | os.PathLike[str] | None = None) -> tuple[Dataset, dict[str, str]]:
    """Read a whole data set and compare it with its card; never download.

    Files may differ from the card if the card also has hashes of their content: they may have been compressed again,
    or the same data may be there in another form.

    Args:
        card: The card.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.

    Returns:
        The data set, and the result of `compare_files`.

    Raises:
        UserError: If data are missing or wrong; the message names the files that differ from the card.

    Example:
        >>> from batchsel import cards
        >>> dataset, files = verify(cards.load("datasets", "iris"))
        >>> len(dataset.test), files
        (30, {})
    """
    local = data.DataFolder(data.data_folder(card.folder, folder))
    files = compare_files(card, local)
    different = [str(local.file(name)) for name, state in files.items() if state == DIFFERENT]
    remedy = f"These files differ from the card: {', '.join(different)}. Delete them and download them again."
    try:
        dataset = data.load(card, folder=folder, offline=True)
    except UserError as error:
        raise UserError(f"{error} {remedy}" if different else str(error)) from error
    if different and not set(card.content) - {"split"}:
        raise UserError(f"{card.name} does not match its card. {remedy}")
    return dataset, files


def compare_files(card: Any, folder: data.DataFolder) -> dict[str, str]:
    """Compare the bytes of the files of a data set with its card.

    Args:
        card: The card, whose `files` are compared.
        folder: Where they are.

    Returns:
        ``"right"``, ``"different"`` or ``"missing"`` for each file, by name.

    Example:
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> card = SimpleNamespace(files=(SimpleNamespace(name="a.gz", sha256="0" * 64),))
        >>> compare_files(card, data.DataFolder(Path("/nowhere")))
        {'a.gz': 'missing'}
    """
    states = {}
    for file in card.files:
        path = folder.file(file.name)
        if path.is_file():
            states[file.name] = RIGHT if file_sha256(path) == file.sha256 else DIFFERENT
        else:
            states[file.name] = MISSING
    return states


def count_duplicates(dataset: Dataset) -> dict[str, int]:
    """Count the validation and test samples whose inputs also occur, bit for bit, in the training split.

    Args:
        dataset: The data set.

    Returns:
        Counts by the name of the split.

    Example:
        >>> train = Split(np.array([[1.0], [2.0]]), np.array([0, 1]))
        >>> other = Split(np.array([[2.0], [3.0]]), np.array([1, 1]))
        >>> count_duplicates(Dataset("mine", "classification", train, other, other, ("no", "yes")))
        {'validation': 1, 'test': 1}
    """
    seen = set(_digests(dataset.train))
    held_out = {"validation": dataset.validation, "test": dataset.test}
    return {name: sum(digest in seen for digest in _digests(split)) for name, split in held_out.items()}


def _digests(split: Split | Source) -> Iterator[bytes]:
    """Yield a hash of the inputs of each sample."""
    for first in range(0, len(split), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(split)))
        x = split.x[rows] if isinstance(split, Split) else split.take(rows)[0]
        for row in np.ascontiguousarray(x):
            yield hashlib.blake2b(row.tobytes(), digest_size=16).digest()
