"""Load a data set that has no card by its name: a user function, table, text or image folder, or a TFDS name."""

from __future__ import annotations

import hashlib
import inspect
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batchsel.core.call_syntax import load_from_file
from batchsel.core.filesystem.python_files import content_hash
from batchsel.core.filesystem.reading import reading
from batchsel.data.dataset import Dataset
from batchsel.data.storage.hashing import file_sha256
from batchsel.data.user.image_folder import image_folder_path, is_image_folder, load_image_folder
from batchsel.data.user.split_files import is_split_files, list_split_files, load_split_files
from batchsel.data.user.table import describe_columns, load_table
from batchsel.data.user.table_reference import TableReference, is_table
from batchsel.data.user.text import TextReference, is_text_file, load_text_file
from batchsel.data.user.text_folder import is_text_folder, load_text_folder, text_folder_path
from batchsel.data.user.tfds import is_tfds, load_tfds
from batchsel.errors import UsageError, UserError, shorten, show


def has_no_card(name: str) -> bool:
    """Return whether a name stands for a user file or folder, or for a set of TensorFlow Datasets.

    Example:
        >>> has_no_card("./mine.py:load"), has_no_card("./my.csv:species"), has_no_card("iris")
        (True, True, False)
    """
    return (
        ".py:" in name
        or is_split_files(name)
        or is_table(name)
        or is_text_file(name)
        or is_image_folder(name)
        or is_text_folder(name)
        or is_tfds(name)
    )


def fingerprint_by_name(name: str) -> str:
    """Return a short hash of the source of a data set without a card, so that runs on changed data are kept apart.

    A file is hashed by its bytes, Python code together with the neighbors that it imports, a folder by the names and
    sizes of its files. Sets of TensorFlow Datasets, whose folders carry their version, and missing files have an empty
    fingerprint.

    Args:
        name: As for `load_by_name`.

    Example:
        >>> fingerprint_by_name("tfds:mnist"), len(fingerprint_by_name(f"{__file__}:load"))
        ('', 16)
    """
    if is_tfds(name):
        return ""
    digest = hashlib.sha256()
    if is_split_files(name):
        for file in list_split_files(name):
            digest.update(f"{file.name}\0{file_sha256(file)}\n".encode(errors="surrogateescape"))
    elif is_image_folder(name) or is_text_folder(name):
        root = image_folder_path(name) if is_image_folder(name) else text_folder_path(name)
        with reading(root, "cannot be listed", "Check its permissions."):
            for path in sorted(path for path in root.rglob("*") if path.is_file()):
                digest.update(
                    f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\n".encode(errors="surrogateescape")
                )
    else:
        (path,) = source_paths(name)
        if not os.path.isfile(path):
            return ""
        if path.suffix == ".py":
            return content_hash(path)
        with reading(path, "cannot be read", "Check the file."):
            return file_sha256(path)[:16]
    return digest.hexdigest()[:16]


def source_paths(name: str) -> list[Path]:
    """Return the files that a data set without a card is read from, or the folder of its images.

    Args:
        name: As for `load_by_name`.

    Example:
        >>> source_paths("./my.csv:species")
        [PosixPath('my.csv')]
    """
    if is_tfds(name):
        return []
    if is_split_files(name):
        return list_split_files(name)
    if is_text_folder(name):
        return [text_folder_path(name)]
    if is_image_folder(name):
        return [image_folder_path(name)]
    if is_table(name):
        return [Path(TableReference.parse(name).path)]
    if reference := TextReference.parse(name):
        return [Path(reference.path)]
    return [Path(name.rpartition(":")[0] or name)]


def load_by_name(
    name: str,
    seed: int,
    folder: str | os.PathLike[str] | None = None,
    offline: bool = False,
    progress: Callable[..., Any] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Dataset:
    """Load a data set that has no card.

    Args:
        name: File and function, as in ``"./mine.py:load"``; table and label column, as in ``"./my.csv:species"``;
            text, as in ``"./my.txt"`` or ``"./my.csv:text=review"``; a folder of images, as in ``"./images"``; or
            ``"tfds:NAME"``.
        seed: Seed of the split; the only argument of a user function.
        folder: Folder of the data, for sets of TensorFlow Datasets.
        offline: Whether downloads are forbidden.
        progress: Creates a progress bar for a label and a verb; None for silence.
        say: Called with each line that says how the files of a table or of images are read.

    Raises:
        UserError: If the file or function does not exist, or returns something other than a `Dataset`.

    Example:
        >>> load_by_name("./missing.py:load", 0)
        Traceback (most recent call last):
        ...
        batchsel.errors.UsageError: there is no file 'missing.py' to load 'load' from. Expected ...
    """
    if is_split_files(name):
        return load_split_files(name, seed, say)
    if is_table(name):
        dataset, columns = load_table(name, seed)
        for line in describe_columns(columns):
            say(line)
        return dataset
    if is_text_file(name):
        return load_text_file(name, seed, say)
    if is_tfds(name):
        return load_tfds(name, seed, folder, offline)
    if is_text_folder(name):
        return load_text_folder(name, seed, say)
    if is_image_folder(name):
        dataset, lines = load_image_folder(name, seed, progress, say)
        for line in lines:
            say(line)
        return dataset
    path, _, function = name.rpartition(":")
    dataset = _call_load(name, load_from_file(Path(path), function), seed)
    if not isinstance(dataset, Dataset):
        raise UserError(
            f"{name} returned {type(dataset).__name__}. Expected a batchsel.data.Dataset; "
            "batchsel.data.builders.tables shows how to make one from arrays."
        )
    return dataset


def _call_load(name: str, load: Any, seed: int) -> Any:
    """Return the result of a user's function, and name it in whatever it raises."""
    _check_takes_seed(name, load)
    try:
        return load(seed)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        file = Path(name.rpartition(":")[0]).name
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if Path(frame.filename).name == file]
        place = f", line {lines[-1]}" if lines else ""
        message = f"{type(error).__name__}: {shorten(str(error))}"
        raise UserError(f"{name} failed{place}: {message}. Correct the function.") from error


def _check_takes_seed(name: str, load: Any) -> None:
    """Refuse what cannot be called with a seed alone, which would look like a mistake of batchsel.

    Raises:
        UsageError: If it is not a function, or has other parameters.
    """
    if not callable(load):
        raise UsageError(f"{name} is {show(load)}. Expected a function of a seed that returns a batchsel.data.Dataset.")
    try:
        signature = inspect.signature(load)
    except (TypeError, ValueError):  # of some built-in functions none is known
        return
    try:
        signature.bind(0)
    except TypeError as error:
        raise UsageError(
            f"{name} must take one argument, the seed of the split, as in `def {name.rpartition(':')[2]}(seed):`; its"
            f" parameters are {signature}: {error}."
        ) from None
