"""From the name of a data set to the code that loads it, without importing the others.

A loader is a module with a function ``load(card, seed, folder) -> Dataset``: a file of this package, or an
entry point in the group ``batchsel.datasets`` of another. It may have ``find(card, folder)`` to say in which
form the data are there already. A user's function in a file is the lowest rung: ``./mine.py:load``, called
with the seed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batchsel.core.call_syntax import load_from_file
from batchsel.core.catalogue import modules_with
from batchsel.core.registry import Registry
from batchsel.data.builders.user_images import folder_of, is_folder, load_folder
from batchsel.data.builders.user_table import is_table, load_table
from batchsel.data.dataset import Dataset
from batchsel.data.sets.lm_text import is_text, load_text
from batchsel.data.sets.tfds_sets import is_tfds, load_tfds
from batchsel.errors import UserError

REGISTRY = Registry("loader of a data set", ["batchsel.data.sets"], "batchsel.datasets", modules_with("load"))
# Cards name loaders; these names stay when a module is renamed.
_RENAMED = {"class_folders": "image_folder"}


def find_loader(name: str) -> Any:
    """The module, or other object, that loads a data set.

    Args:
        name: The `loader` of a card: a module of `batchsel.data` or an entry point.

    Returns:
        An object with a function `load(card, seed, folder)`.

    Raises:
        UsageError: If there is none of this name; the nearest are given.

    Example:
        >>> find_loader("iris").__name__
        'batchsel.data.sets.iris'
    """
    return REGISTRY.load(_RENAMED.get(name, name))


def has_no_card(name: str) -> bool:
    """Whether the name of a data set is that of a file or folder of the user's, or of a set of TensorFlow Datasets.

    Args:
        name: The name.

    Example:
        >>> has_no_card("./mine.py:load"), has_no_card("./my.csv:species"), has_no_card("iris")
        (True, True, False)
    """
    return ".py:" in name or is_table(name) or is_text(name) or is_folder(name) or is_tfds(name)


def fingerprint_of(name: str) -> str:
    """A short hash of what a data set without a card is read from, so that runs on changed data are not mixed up.

    Of a file its bytes; of a folder the names and sizes of its files; nothing of a set of TensorFlow Datasets, whose
    version stands in its folder, nor of what is not there.

    Args:
        name: As for `load_named`.

    Example:
        >>> fingerprint_of("tfds:mnist"), len(fingerprint_of(f"{__file__}:load"))
        ('', 16)
    """
    if is_tfds(name):
        return ""
    found = hashlib.sha256()
    if is_folder(name):
        root = folder_of(name)
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            found.update(
                f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\n".encode(errors="surrogateescape")
            )
    else:
        path = Path(name) if is_text(name) and Path(name).is_file() else Path(name.rpartition(":")[0] or name)
        if not path.is_file():
            return ""
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def load_named(
    reference: str,
    seed: int,
    folder: str | os.PathLike[str] | None = None,
    offline: bool = False,
    progress: Callable[..., Any] | None = None,
) -> Dataset:
    """A data set without a card: made by a user's function, read from the user's files, or of TensorFlow Datasets.

    Args:
        reference: File and function, as in ``"./mine.py:load"``, table and column, as in ``"./my.csv:species"``,
            text, as in ``"./my.txt"``, a folder of pictures, as in ``"./pictures"``, or ``"tfds:NAME"``.
        seed: Chooses the split; the one argument of the call.
        folder: Folder of the data, for sets of TensorFlow Datasets.
        offline: Whether downloads are forbidden.
        progress: Makes a progress bar for a label and a verb; None for silence.

    Returns:
        What the function returned, or the table, text or pictures as a data set.

    Raises:
        UserError: If there is no such file or function, or it returned something else.

    Example:
        >>> load_named("./missing.py:load", 0)
        Traceback (most recent call last):
        ...
        batchsel.errors.UsageError: there is no file 'missing.py' to take 'load' from. Expected ...
    """
    if is_table(reference):
        return load_table(reference, seed)[0]
    if is_text(reference):
        return load_text(reference, seed)
    if is_tfds(reference):
        return load_tfds(reference, seed, folder, offline)
    if is_folder(reference):
        return load_folder(reference, seed, progress)[0]
    path, _, function = reference.rpartition(":")
    dataset = load_from_file(Path(path), function)(seed)
    if not isinstance(dataset, Dataset):
        raise UserError(
            f"{reference} returned {type(dataset).__name__}. Expected a batchsel.data.Dataset; "
            "batchsel.data.builders.tables shows how to make one from arrays."
        )
    return dataset
