"""Official data sets of image files in class folders."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchsel.core.parameters import FileName, Names, Parts
from batchsel.data.builders.image_folders import ImageFolderOptions, build_image_dataset, list_images
from batchsel.data.builders.image_layout import find_shards
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder, find_or_fetch
from batchsel.data.formats.archives import unpack
from batchsel.errors import UserError


@dataclass(frozen=True)
class Options:
    """Options of a card, checked when the card is read."""

    parts: Parts
    root: str = ""
    folders: Names = ()
    archive: FileName | None = None


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """List the files, decode them once, check and split the images.

    Args:
        card: The card, whose name, files, input shape, sizes and class names are used, and of the options ``root``
            (folder inside the archive or the data folder), ``folders`` (class folders in the order of the class names,
            if they have other names), ``parts`` (folder of each split), and ``archive`` (to be unpacked if the folder
            does not exist).
        seed: Seed of the validation split, if there is no official one.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``uint8[n, height, width, channels]`` images, ``int32[n]`` labels; in memory, or memory-mapped.

    Raises:
        UserError: If folders are missing, or the images are not those that the card describes.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "cinic10"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cinic10 is not in /nowhere, and ... Expected the folders train, valid, ...
    """
    options = card.options
    expected = f"the folders {', '.join(options['parts'].values())}"
    expected += f" or {options['archive']}" if "archive" in options else ""
    root = find_or_fetch(card, folder, lambda: _find_or_unpack(card, folder), expected)
    folders = list(options.get("folders", card.class_names))
    listings = {split: list_images(find_shards(root, name), folders) for split, name in options["parts"].items()}
    _check_sizes(card, {split: len(files.paths) for split, files in listings.items()})
    image_options = ImageFolderOptions(card.input_shape, card.sizes.validation, card.sizes.test, seed=seed)
    return build_image_dataset(card.name, listings, card.class_names, image_options, folder.progress)


def find(card: Any, folder: DataFolder) -> str | None:
    """Return the form in which the data are there, or None if they are missing.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "cinic10"), DataFolder(Path("/nowhere")))
    """
    if _find_root(card, folder):
        return "folders of classes"
    archive = card.options.get("archive", "")
    return archive if archive and folder.file(archive).is_file() else None


def _find_or_unpack(card: Any, folder: DataFolder) -> Path | None:
    root = _find_root(card, folder)
    archive = card.options.get("archive", "")
    if root or not archive or not folder.file(archive).is_file():
        return root
    unpack(folder.file(archive), folder.path / _unpacked_name(archive))
    return _find_root(card, folder)


def _find_root(card: Any, folder: DataFolder) -> Path | None:
    """Return the folder of the splits: the data folder itself, or one that an archive was unpacked into."""
    options = card.options
    inside = folder.path / _unpacked_name(options.get("archive", "archive"))
    roots = [base / below for base in (folder.path, inside) for below in ("", options.get("root", ""))]
    return next((root for root in roots if all(find_shards(root, name) for name in options["parts"].values())), None)


def _unpacked_name(archive: str) -> str:
    return archive.split(".")[0]


def _check_sizes(card: Any, found: Mapping[str, int]) -> None:
    expected = dataclasses.asdict(card.sizes)
    expected["train"] += sum(expected[split] for split in ("validation", "test") if split not in found)
    wrong = [
        f"{count:,} in {split} instead of {expected[split]:,}"
        for split, count in found.items()
        if count != expected[split]
    ]
    if wrong:
        raise UserError(f"{card.name}: the folders hold {', '.join(wrong)} images. Download the official files again.")
