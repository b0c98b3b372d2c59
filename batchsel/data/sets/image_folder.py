"""Pictures in folders, one folder a class: official sets that come so, and any of the user's."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.builders.decoded_images import picture_rows
from batchsel.data.builders.image_files import ENDINGS, PictureFiles
from batchsel.data.dataset import Dataset, held_rows
from batchsel.data.download.fetch import DataFolder, found_or_fetched
from batchsel.data.formats.archives import unpack
from batchsel.data.sources import Subset
from batchsel.data.splits import rows_of_parts
from batchsel.errors import UserError

PARTS = {"train": ("train", "training"), "validation": ("val", "valid", "validation"), "test": ("test", "testing")}
"""Names that folders of parts have."""


class Listed(NamedTuple):
    """Files of a part and their classes.

    Args:
        paths: The files, class by class, each class in the order of names.
        labels: ``int32[n]``.
    """

    paths: list[Path]
    labels: np.ndarray


class ImageFolderOptions(NamedTuple):
    """What is to become of the pictures.

    Args:
        shape: Height, width and channels.
        validation: Pictures carved from the training part if no folder holds any.
        test: Pictures drawn for the test part if no folder holds any.
        skip_broken: Whether files that cannot be decoded are left out.
        seed: Chooses what is carved.
    """

    shape: tuple[int, int, int]
    validation: int
    test: int
    skip_broken: bool = False
    seed: int = 0


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Lists, decodes once, checks and splits.

    Args:
        card: The card: name, files, input shape, sizes and class names are used, and of the options ``root`` (folder
            inside the archive or the data folder), ``folders`` (those of the classes, in the order of the class names,
            if they have other names), ``parts`` (name of the folder of each part), ``archive`` (to be
            unpacked if the folder is not there).
        seed: Chooses the validation part, where it is not an official one.
        folder: Where the files lie or will be downloaded to.

    Returns:
        The data set: ``uint8[n, height, width, channels]`` pictures, ``int32[n]`` labels; in memory, or mapped into it.

    Raises:
        UserError: If folders are missing, or the pictures are not those that the card describes.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "cinic10"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cinic10 is not in /nowhere. Expected the folders train, valid, test or CINIC-10...
    """
    options = card.options
    expected = f"the folders {', '.join(options['parts'].values())}"
    missing = f"Expected {expected}{' or ' + options['archive'] if 'archive' in options else ''}."
    missing += f" {card.by_hand} Another folder can be named with --data-dir or BATCHSEL_DATA."
    root = found_or_fetched(card, folder, lambda: _root(card, folder), missing)
    folders = list(options.get("folders", card.class_names))
    listed = {part: list_pictures(root / name, folders) for part, name in options["parts"].items()}
    held_out = {part: getattr(card.sizes, part) for part in ("validation", "test")}
    _check_sizes(card, {part: len(files.paths) for part, files in listed.items()}, held_out)
    options = ImageFolderOptions(card.input_shape, *held_out.values(), skip_broken=False, seed=seed)
    return dataset_of(card.name, listed, card.class_names, options, folder.progress)


def find(card: Any, folder: DataFolder) -> str | None:
    """What of the data is in the folder already.

    Args:
        card: The card.
        folder: The folder.

    Returns:
        What it is in words; None if it is missing.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "cinic10"), DataFolder(Path("/nowhere")))
    """
    if _unpacked(card, folder):
        return "folders of classes"
    archive = card.options.get("archive", "")
    return archive if archive and folder.file(archive).is_file() else None


def dataset_of(
    name: str,
    listed: dict[str, Listed],
    class_names: tuple[str, ...],
    options: ImageFolderOptions,
    progress: Callable[..., Any] | None = None,
) -> Dataset:
    """The data set that listed files make up.

    Args:
        name: Its name.
        listed: Files of the parts that have folders; "train" at least. Without a test part, one is drawn.
        class_names: Names of the classes.
        options: Shape and sizes.
        progress: Makes a progress bar for a label and a verb; None for silence.

    Raises:
        UserError: If pictures cannot be decoded, or too few are left.
    """
    sources, labels = {}, {}
    for part, (paths, classes) in listed.items():
        files = PictureFiles(paths, classes, options.shape)
        rows, sound = picture_rows(files, f"{name}, {part} part", options.skip_broken, progress)
        sources[part], labels[part] = Subset(rows, sound), files.labels[sound]
    rows, split = rows_of_parts(labels, options.validation, options.test, options.seed)
    held = {part: held_rows(sources[own], some) for part, (own, some) in rows.items()}
    return Dataset(name, "classification", **held, class_names=class_names, split=split)


def class_folders(path: Path) -> list[str]:
    """Names of the folders in a folder, sorted.

    Args:
        path: The folder.

    Example:
        >>> class_folders(Path("/nowhere"))
        []
    """
    if not path.is_dir():
        return []
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def list_pictures(path: Path, folders: Sequence[str], some: bool = False) -> Listed:
    """The pictures below the folders of classes, in an order that is the same on every machine.

    Args:
        path: Folder of a part.
        folders: Names of the folders of its classes, in the order of their numbers; or their names in the file
            ``PART_annotations.txt`` if there is one.
        some: Whether classes may be missing, as long as there is a picture of any.

    Raises:
        UserError: If a folder is missing or has no pictures.

    Example:
        >>> list_pictures(Path("/nowhere"), ["cats"])
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: /nowhere/cats has no pictures (.jpg, .jpeg, .png, ...). ...
    """
    if (annotations := path / f"{path.name}_annotations.txt").is_file():
        return _annotated(annotations, folders)
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(folders):
        found = sorted(
            Path(above, file)
            for above, _, files in os.walk(path / name)
            for file in files
            if file.lower().endswith(ENDINGS) and not file.startswith(".")
        )
        if not found and not some:
            raise UserError(
                f"{path / name} has no pictures ({', '.join(ENDINGS)}). Expected a folder of pictures for each class."
            )
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise UserError(f"{path} has no pictures ({', '.join(ENDINGS)}) in the folders of the classes.")
    return Listed(paths, np.array(labels, np.int32))


def _annotated(file: Path, folders: Sequence[str]) -> Listed:
    """Pictures whose classes stand in a file, name and class in each line, as in Tiny ImageNet's validation part."""
    number = {name: label for label, name in enumerate(folders)}
    rows = sorted(line.split("\t")[:2] for line in file.read_text("utf-8").splitlines() if line.strip())
    strange = [row for row in rows if len(row) < 2 or row[1] not in number]
    if strange:
        raise UserError(f"{file}: {strange[0]!r} names no picture and class. Get the official file.")
    paths = [file.parent / "images" / name for name, _ in rows]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UserError(f"{file} names {len(missing)} pictures that are not there, the first is {missing[0]}.")
    return Listed(paths, np.array([number[name] for _, name in rows], np.int32))


def _root(card: Any, folder: DataFolder) -> Path | None:
    there = _unpacked(card, folder)
    archive = card.options.get("archive", "")
    if there or not archive or not folder.file(archive).is_file():
        return there
    unpack(folder.file(archive), folder.path / _unpacked_name(archive))
    return _unpacked(card, folder)


def _unpacked(card: Any, folder: DataFolder) -> Path | None:
    """The folder that holds the parts: the data folder itself, or one that an archive was unpacked into."""
    options = card.options
    inside = folder.path / _unpacked_name(options.get("archive", "archive"))
    roots = [base / below for base in (folder.path, inside) for below in ("", options.get("root", ""))]
    return next((root for root in roots if all((root / name).is_dir() for name in options["parts"].values())), None)


def _unpacked_name(archive: str) -> str:
    return archive.split(".")[0]


def _check_sizes(card: Any, found: dict[str, int], held_out: dict[str, int]) -> None:
    expected = dataclasses.asdict(card.sizes)
    expected["train"] += sum(count for part, count in held_out.items() if part not in found)
    wrong = [f"{count:,} in {part} instead of {expected[part]:,}" for part, count in found.items()]
    wrong = [text for text, part in zip(wrong, found, strict=True) if found[part] != expected[part]]
    if wrong:
        raise UserError(f"{card.name}: the folders hold {', '.join(wrong)} pictures. Get the official files anew.")
