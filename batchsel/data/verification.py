"""Verify a data set against its card, and count samples that its splits share."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from batchsel import data
from batchsel.data.dataset import Dataset, Split
from batchsel.data.loaders import resolve_card
from batchsel.data.sources import Source
from batchsel.data.storage.hashing import Checksum, file_sha256, noted_sha256, record_comparisons
from batchsel.errors import UserError

RIGHT, DIFFERENT, MISSING = "right", "different", "missing"
_BLOCK = 1024


class Verified(NamedTuple):
    """A data set that was read and compared with its card."""

    dataset: Dataset
    files: dict[str, str]
    """The result of `compare_files`."""
    compared: list[str]
    """Names of the arrays whose SHA-256 is that on the card. Without any, only their number and shape are known."""


def verify(card: Any, *, folder: str | os.PathLike[str] | None = None) -> Verified:
    """Read a whole data set and compare it with its card; never download.

    Files may differ from the card if the card also has hashes of their content: they may have been compressed again,
    or the same data may be there in another form.

    Args:
        card: The card.
        folder: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.

    Raises:
        UserError: If data are missing or wrong; the message names the files that differ from the card.

    Example:
        >>> from batchsel import cards
        >>> found = verify(cards.load("datasets", "iris"))
        >>> len(found.dataset.test), found.files, found.compared
        (30, {}, ['x', 'y'])
    """
    local = data.DataFolder(data.data_folder(card.folder, folder))
    files = compare_files(card, local)
    different = [str(local.file(name)) for name, state in files.items() if state == DIFFERENT]
    remedy = f"These files differ from the card: {', '.join(different)}. Delete them and download them again."
    try:
        with record_comparisons() as compared:
            dataset = data.load(card, folder=folder, offline=True)
    except UserError as error:
        raise UserError(f"{error} {remedy}" if different else str(error)) from error
    if different and not compared - {"split"}:
        raise UserError(f"{card.name} does not match its card. {remedy}")
    _check_counts(resolve_card(card, local), dataset)
    return Verified(dataset, files, sorted(compared - {"split"}))


def _check_counts(card: Any, dataset: Dataset) -> None:
    """Refuse data that were cut: sorted by label, they lack a class."""
    if card.task == "language_model":  # whose card counts documents
        return
    found = {split: len(samples) for split, samples in dataset.splits.items()}
    expected = dataclasses.asdict(card.sizes)
    if found["test"] == (drawn := card.options.get("drawn_test")):  # without the official one
        expected |= {"train": expected["train"] - drawn, "test": drawn}
    wrong = [
        f"{found[split]:,} {split} samples instead of {expected[split]:,}"
        for split in found
        if found[split] != expected[split]
    ]
    if wrong:
        raise UserError(f"{card.name} is not whole: {', '.join(wrong)}. Get the files that the card describes.")


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
            checksum = Checksum.stated(file)
            right = checksum.of(path) == checksum.digits and noted_sha256(path) in (None, file_sha256(path))
            states[file.name] = RIGHT if right else DIFFERENT
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
