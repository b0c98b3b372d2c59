"""User images: a folder of class folders, with or without folders of splits above them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.filesystem.reading import reading, shorten_path
from batchsel.data.builders.image_files import BROKEN, FORMATS
from batchsel.data.builders.image_folders import (
    ImageFolderOptions,
    ImageListing,
    build_image_dataset,
    list_images,
)
from batchsel.data.builders.image_layout import ImageLayout, find_layout
from batchsel.data.dataset import Dataset
from batchsel.errors import UsageError, UserError

_FORM = re.compile(r"^(?P<path>.*?)(?P<options>(?::size=[1-9]\d{0,3}|:skip_broken)*)\Z", re.DOTALL)
_PROBED = 200
"""Number of images whose sizes and color modes decide the shape."""
_LARGEST = 64
"""Height and width that images of different or large sizes are scaled to by default."""
_VALIDATION_SHARE, _TEST_SHARE = 0.1, 0.2


class _Reference(NamedTuple):
    """Name of a data set, parsed."""

    path: Path
    size: int | None
    skip_broken: bool


def is_image_folder(name: str) -> bool:
    """Return whether the name of a data set is that of a folder.

    Args:
        name: As in ``"./images"`` or ``"./images:size=96:skip_broken"``.

    Example:
        >>> is_image_folder("."), is_image_folder("iris"), is_image_folder("./mine.py:load")
        (True, False, False)
    """
    match = _FORM.match(name)
    path = match["path"] if match else ""
    return ("/" in path or "\\" in path or path in (".", "..")) and Path(path).suffix != ".py" and os.path.isdir(path)


def image_folder_path(name: str) -> Path:
    """Return the folder in the name of a data set.

    Args:
        name: As for `is_image_folder`.

    Example:
        >>> image_folder_path("./images:size=96").name
        'images'
    """
    return _parse(name).path


def load_image_folder(
    name: str,
    seed: int = 0,
    progress: Callable[..., Any] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Dataset, list[str]]:
    """Read a folder of images: one folder for each class, or folders train, val and test of class folders.

    A split may lie in several folders, as in ``train.X1`` to ``train.X4``; a file ``Labels.json`` names the classes.

    Without folders for them, a fifth of the images is drawn for the test split and a tenth for validation, stratified
    by class. Images of one size up to 64 pixels keep it, others are scaled to 64 by 64, or to ``size``; they are gray
    if all probed ones are.

    Args:
        name: The folder, optionally followed by ``:size=96`` and ``:skip_broken``.
        seed: Seed of the validation split.
        progress: Creates a progress bar for a label and a verb; None for silence.
        say: Called with a line that says what the folder is, before anything is decoded.

    Returns:
        The data set, and lines that describe it.

    Raises:
        UserError: If there are fewer than two classes, or images cannot be decoded.

    Example:
        >>> load_image_folder("/nowhere")
        Traceback (most recent call last):
        ...
        batchsel.errors.UsageError: there is no folder '/nowhere'. Expected ...
    """
    root, size, skip_broken = _parse(name)
    if not os.path.isdir(root):
        raise UsageError(
            f"there is no folder {shorten_path(root)!r}. Expected a folder that contains a folder of images for each"
            " class."
        )
    layout = find_layout(root)
    listings = _list_splits(layout)
    paths = listings["train"].paths
    shape = _choose_shape([paths[row] for row in np.linspace(0, len(paths) - 1, _PROBED).astype(int)], size)
    say(_describe_layout(layout, listings, shape))
    validation, test = (max(1, round(share * len(paths))) for share in (_VALIDATION_SHARE, _TEST_SHARE))
    options = ImageFolderOptions(shape, validation, test, skip_broken, seed)
    dataset = build_image_dataset(name, listings, layout.class_names, options, progress)
    return dataset, _describe(dataset, shape, sum(len(files.paths) for files in listings.values()))


def _parse(name: str) -> _Reference:
    match = _FORM.match(name)
    if match is None:  # the expression matches every text
        return _Reference(Path(name), None, False)
    options = {key: value for key, _, value in (option.partition("=") for option in match["options"].split(":")[1:])}
    size = int(options["size"]) if "size" in options else None
    return _Reference(Path(match["path"]), size, "skip_broken" in options)


def _list_splits(layout: ImageLayout) -> dict[str, ImageListing]:
    """Return the images of each split."""
    listings = {
        split: list_images(paths, layout.classes, allow_empty=split != "train")
        for split, paths in layout.splits.items()
    }
    if np.bincount(listings["train"].labels, minlength=len(layout.classes)).min() < 2:
        raise UserError(
            f"{layout.splits['train'][0]}: each class needs at least two images, one to train on and one to hold out."
        )
    return listings


def _choose_shape(paths: list[Path], size: int | None) -> tuple[int, int, int]:
    from PIL import Image

    sizes, modes = set(), set()
    for path in paths:
        # What cannot be read is reported when it is decoded.
        with contextlib.suppress(UserError), reading(path, BROKEN), Image.open(path, formats=FORMATS) as image:
            sizes.add(image.size)
            modes.add(image.mode)
    channels = 1 if modes and modes <= {"L", "1", "I", "I;16", "LA"} else 3
    if size:
        return size, size, channels
    width, height = sizes.pop() if len(sizes) == 1 else (_LARGEST, _LARGEST)
    return (height, width, channels) if max(height, width) <= _LARGEST else (_LARGEST, _LARGEST, channels)


def _describe_layout(layout: ImageLayout, listings: dict[str, ImageListing], shape: tuple[int, int, int]) -> str:
    """Describe a folder, as in "2 parts by folder (train: 4 folders, test), 100 classes, 126,689 images, 64×64"."""
    parts = [f"{split}: {len(paths)} folders" if len(paths) > 1 else split for split, paths in layout.splits.items()]
    drawn = [split for split in ("validation", "test") if split not in layout.splits]
    found = f"{len(parts)} parts by folder ({', '.join(parts)})" if len(parts) > 1 else "one part"
    found += f", {' and '.join(drawn)} drawn from it" if len(parts) == 1 else ""
    images = sum(len(listing.paths) for listing in listings.values())
    height, width, _ = shape
    line = f"{found}, {len(layout.classes)} classes, {images:,} images, {height}×{width}"
    return f"{line}; not read: {', '.join(layout.unread)}" if layout.unread else line


def _describe(dataset: Dataset, shape: tuple[int, int, int], listed: int) -> list[str]:
    classes = dataset.class_names
    sizes = ", ".join(f"{len(samples):,} {split}" for split, samples in dataset.splits.items())
    left_out = listed - sum(map(len, dataset.splits.values()))
    lines = [
        f"{len(classes)} classes: {', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}",
        f"{shape[0]} by {shape[1]} pixels, {'gray' if shape[2] == 1 else 'color'}; {sizes}",
    ]
    return [*lines, f"left out: {left_out:,} broken images"] if left_out else lines
