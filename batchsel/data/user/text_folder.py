"""User texts: a folder of class folders with a text in each file, with or without folders of splits above them."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from batchsel.core.filesystem.reading import reading
from batchsel.data.builders.image_files import SUFFIXES as IMAGES
from batchsel.data.builders.image_layout import ImageLayout, find_layout, list_class_folders
from batchsel.data.builders.user_texts import build_texts
from batchsel.data.dataset import Dataset
from batchsel.data.formats.text_files import open_text
from batchsel.data.user.parts import describe, draw_rows, official_rows
from batchsel.data.user.table_reference import read_subwords
from batchsel.errors import UserError

_FORM = re.compile(r"(?P<path>.*?)(?::subwords=(?P<subwords>[^:]*))?\Z", re.DOTALL)
_TEXT = (".txt", ".text", ".md")
_WITHOUT_LABELS = "unsup"
"""Folder of the IMDB reviews without labels, which lies among those of the classes."""


def is_text_folder(name: str) -> bool:
    """Return whether the name of a data set is that of a folder of folders with texts and without images.

    Args:
        name: As in ``"./reviews"`` or ``"./reviews:subwords=4000"``.

    Example:
        >>> is_text_folder("iris"), is_text_folder("./nowhere")
        (False, False)
    """
    path = text_folder_path(name)
    if not ("/" in name or "\\" in name or name.startswith(".")) or not os.path.isdir(path):
        return False
    found = False
    for folder, below, files in os.walk(path, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if Path(folder) == path:
            if not below:
                return False
            continue
        if any(file.lower().endswith(IMAGES) for file in files):
            return False
        found = found or any(map(_is_text, files))
    return found


def text_folder_path(name: str) -> Path:
    """Return the folder in the name of a data set.

    Args:
        name: As for `is_text_folder`.
    """
    match = _FORM.match(name)
    return Path(match["path"] if match and not os.path.isdir(name) else name)


def add_subwords(name: str, subwords: int) -> str:
    """Return the name of a data set whose texts are encoded by subwords.

    Args:
        name: As for `is_text_folder`.
        subwords: Size of their vocabulary.
    """
    return f"{name}:subwords={subwords}"


def load_text_folder(name: str, seed: int = 0, say: Callable[[str], None] = lambda line: None) -> Dataset:
    """Read a folder of texts: one folder for each class, or folders train, val and test of class folders.

    Without folders for them, a tenth of the texts is drawn for validation, and a fifth for the test split.

    Args:
        name: The folder, optionally followed by ``:subwords=4000`` to encode texts by so many.
        seed: Seed of the validation split.
        say: Called with a line that says what the folder is.

    Raises:
        UserError: If there are fewer than two classes, or a file is not text in UTF-8.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for number in range(20):
        ...         path = Path(folder, "bad" if number % 2 else "good", f"{number}.txt")
        ...         path.parent.mkdir(exist_ok=True)
        ...         _ = path.write_text(f"this is film {number}")
        ...     dataset = load_text_folder(folder)
        >>> [len(part) for part in dataset.splits.values()], dataset.class_names
        ([14, 2, 4], ('bad', 'good'))
    """
    root, match = text_folder_path(name), _FORM.match(name)
    subwords = read_subwords((match["subwords"] if match else None) or "0", str(root))
    layout = find_layout(root)
    classes = [one for one in layout.classes if one != _WITHOUT_LABELS] if len(layout.classes) > 2 else layout.classes
    files = {split: _list_files(layout, split, classes) for split in layout.splits}
    counts = {split: len(found) for split, found in files.items()}
    say(f"{describe(counts, f'texts, {len(classes)} classes by folder')}{_unread(layout, classes)}")
    for one, count in zip(classes, np.bincount([y for _, y in files["train"]], minlength=len(classes)), strict=True):
        if count < 2:
            raise UserError(f"{root}: the class {one!r} has {count} texts to train on. Expected two or more.")
    together = [file for found in files.values() for file in found]
    texts = np.array([_read(path) for path, _ in together], object)
    y = np.array([label for _, label in together], np.int32)
    rows = draw_rows(counts, y, seed)
    names = tuple(layout.class_names[layout.classes.index(one)] for one in classes)
    dataset = build_texts(name, texts, y, names, rows, subwords)
    return dataclasses.replace(dataset, rows=official_rows(rows, counts))


def _list_files(layout: ImageLayout, split: str, classes: Sequence[str]) -> list[tuple[Path, int]]:
    """Return the files of a split and the numbers of their classes, in the order of their names."""
    found = []
    for label, one in enumerate(classes):
        for place in layout.splits[split]:
            folder = place / one
            if not folder.is_dir():
                continue
            with reading(folder, "cannot be listed", "Check its permissions."):
                paths = sorted(path for path in folder.iterdir() if _is_text(path.name) and path.is_file())
            found += [(path, label) for path in paths]
    return found


def _unread(layout: ImageLayout, classes: Sequence[str]) -> str:
    left_out = [*layout.unread, *(one for one in layout.classes if one not in classes)]
    for places in layout.splits.values():
        for place in places:
            left_out += [f"{one}/{below}" for one in classes for below in list_class_folders(place / one)]
    return f"; not read: {', '.join(sorted(set(left_out)))}" if left_out else ""


def _is_text(name: str) -> bool:
    """Return whether a file is a text by its name; those of news groups are numbers."""
    return name.lower().endswith(_TEXT) or name.isdecimal()


def _read(path: Path) -> str:
    with open_text(path) as file:
        return file.read()
