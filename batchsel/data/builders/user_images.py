"""Pictures of the user's: a folder of class folders, with or without folders of parts above them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.data.dataset import Dataset
from batchsel.data.sets.image_folder import PARTS, ImageFolderOptions, class_folders, dataset_of, list_pictures
from batchsel.errors import UsageError, UserError

_FORM = re.compile(r"^(?P<path>.*?)(?P<wishes>(?::size=[1-9]\d{0,3}|:skip_broken)*)\Z", re.DOTALL)
_LOOKED_AT = 200
"""Pictures that are looked at for their size and colors."""
_LARGEST = 64
"""Height and width that pictures of different or large sizes are brought to, unless told otherwise."""
_SHARES = (0.1, 0.2)
"""Validation and test part, where there are no folders of parts."""


def is_folder(name: str) -> bool:
    """Whether the name of a data set is that of a folder.

    Args:
        name: As in ``"./pictures"`` or ``"./pictures:size=96:skip_broken"``.

    Example:
        >>> is_folder("."), is_folder("iris"), is_folder("./mine.py:load")
        (True, False, False)
    """
    path = _FORM.match(name)["path"]
    return ("/" in path or "\\" in path or path in (".", "..")) and Path(path).suffix != ".py" and Path(path).is_dir()


def folder_of(name: str) -> Path:
    """The folder in the name of a data set.

    Args:
        name: As for `is_folder`.

    Example:
        >>> folder_of("./pictures:size=96").name
        'pictures'
    """
    return Path(_FORM.match(name)["path"])


def load_folder(name: str, seed: int = 0, progress: Callable[..., Any] | None = None) -> tuple[Dataset, list[str]]:
    """Reads a folder of pictures: one folder for each class, or folders train, val and test of these.

    Without a folder for it, a fifth of the pictures is drawn for the test part and a tenth for validation, each class
    by its share. Pictures of one size up to 64 pixels keep it, others are brought to 64 by 64, or to ``size``; they are
    gray if all that were looked at are.

    Args:
        name: The folder, and behind colons ``size=96`` and ``skip_broken``.
        seed: Chooses the validation part.
        progress: Makes a progress bar for a label and a verb; None for silence.

    Returns:
        The data set, and what was found, in lines.

    Raises:
        UserError: If there are fewer than two classes, or pictures cannot be decoded.

    Example:
        >>> load_folder("/nowhere")
        Traceback (most recent call last):
        ...
        batchsel.errors.UsageError: there is no folder '/nowhere'. Expected ...
    """
    form = _FORM.match(name)
    root, asked = Path(form["path"]), dict(wish.partition("=")[::2] for wish in form["wishes"].split(":")[1:])
    if not root.is_dir():
        raise UsageError(f"there is no folder {str(root)!r}. Expected one that holds a folder of pictures a class.")
    parts = _parts(root)
    classes = class_folders(parts["train"])
    if len(classes) < 2:
        raise UserError(
            f"{parts['train']} holds {len(classes)} folders. Expected one for each class, two or more:"
            " cats/1.jpg, dogs/1.jpg; or train/cats, test/cats and so on."
        )
    _check_classes(parts, classes)
    listed = {part: list_pictures(path, classes, some=part != "train") for part, path in parts.items()}
    first = listed["train"].paths
    shape = _shape([first[row] for row in np.linspace(0, len(first) - 1, _LOOKED_AT).astype(int)], asked.get("size"))
    count = len(first)
    if min(np.bincount(listed["train"].labels)) < 2:
        raise UserError(
            f"{parts['train']}: each class needs two pictures at least, one to train on and one to hold out."
        )
    options = ImageFolderOptions(
        shape, max(1, round(_SHARES[0] * count)), max(1, round(_SHARES[1] * count)), "skip_broken" in asked, seed
    )
    dataset = dataset_of(name, listed, tuple(classes), options, progress)
    sizes = ", ".join(f"{len(held):,} {part}" for part, held in dataset.parts.items())
    colors = "gray" if shape[2] == 1 else "color"
    left_out = sum(map(len, (files.paths for files in listed.values()))) - sum(map(len, dataset.parts.values()))
    lines = [f"{len(classes)} classes: {', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}"]
    lines += [f"{shape[0]} by {shape[1]} pixels, {colors}; {sizes}"]
    return dataset, lines + ([f"left out: {left_out:,} broken pictures"] if left_out else [])


def _parts(root: Path) -> dict[str, Path]:
    """The folder of each part; the root itself where there are none."""
    there = {entry.name.lower(): entry for entry in root.iterdir() if entry.is_dir() and class_folders(entry)}
    found = {part: there[name] for part, names in PARTS.items() for name in names if name in there}
    if "train" not in found:
        return {"train": root}
    if "validation" in found and "test" not in found:
        # Sets with two parts call the second one by either name; it is what to report on.
        found["test"] = found.pop("validation")
    return found


def _check_classes(parts: dict[str, Path], classes: list[str]) -> None:
    """A class that is not trained on cannot be told."""
    for part, path in parts.items():
        strange = sorted(set(class_folders(path)) - set(classes))
        if strange:
            raise UserError(
                f"{path} has the classes {', '.join(strange[:5])}, of which the training part has none. Remove them"
                f" from the {part} part, or add them to {parts['train']}."
            )


def _shape(paths: list[Path], size: str | None) -> tuple[int, int, int]:
    from PIL import Image

    sizes, modes = set(), set()
    for path in paths:
        try:
            with Image.open(path) as picture:
                sizes.add(picture.size)
                modes.add(picture.mode)
        except (OSError, ValueError, SyntaxError):
            continue  # told of when it is decoded
    channels = 1 if modes and modes <= {"L", "1", "I", "I;16", "LA"} else 3
    if size:
        return int(size), int(size), channels
    width, height = sizes.pop() if len(sizes) == 1 else (_LARGEST, _LARGEST)
    return (height, width, channels) if max(height, width) <= _LARGEST else (_LARGEST, _LARGEST, channels)
