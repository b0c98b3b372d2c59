"""Images in class folders: list the files, decode them once, and split them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.filesystem.reading import reading
from batchsel.data.builders.decoded_images import decode_images
from batchsel.data.builders.image_files import SUFFIXES, ImageFiles
from batchsel.data.builders.image_layout import annotation_file
from batchsel.data.dataset import Dataset, load_if_small
from batchsel.data.sources import Subset
from batchsel.data.splits import SplitRows, assign_rows
from batchsel.errors import UserError


class ImageListing(NamedTuple):
    """Image files of a split and their classes.

    Args:
        paths: The files, class by class, each class in the order of names.
        labels: ``int32[n]``.
    """

    paths: list[Path]
    labels: np.ndarray


class ImageFolderOptions(NamedTuple):
    """Options of a data set of image files.

    Args:
        shape: Height, width and channels of the decoded images.
        validation: Number of images carved from the training split if no folder holds validation images.
        test: Number of images drawn for the test split if no folder holds test images.
        skip_broken: Whether files that cannot be decoded are left out.
        seed: Seed of the validation split.
    """

    shape: tuple[int, int, int]
    validation: int
    test: int
    skip_broken: bool = False
    seed: int = 0


def build_image_dataset(
    name: str,
    listings: Mapping[str, ImageListing],
    class_names: tuple[str, ...],
    options: ImageFolderOptions,
    progress: Callable[..., Any] | None = None,
) -> Dataset:
    """Decode the listed files, and split the images.

    Args:
        name: Name of the data set.
        listings: Files of the splits that have folders; "train" at least. Without "test", a test split is drawn.
        class_names: Names of the classes.
        options: Shape and sizes.
        progress: Creates a progress bar for a label and a verb; None for silence.

    Raises:
        UserError: If images cannot be decoded, or too few are left.
    """
    sources, labels = {}, {}
    for split, (paths, classes) in listings.items():
        files = ImageFiles(paths, classes, options.shape)
        images, intact = decode_images(files, f"{name}, {split} split", options.skip_broken, progress)
        sources[split], labels[split] = Subset(images, intact), files.labels[intact]
    rows, fingerprint = assign_rows(labels, options.validation, options.test, options.seed)
    for split, (_, chosen) in rows.items():
        if not len(chosen):
            raise UserError(f"{name}: no image is left for the {split} split. Expected one at least in each split.")
    splits = {split: load_if_small(sources[origin], chosen) for split, (origin, chosen) in rows.items()}
    return Dataset(
        name,
        "classification",
        splits["train"],
        splits["validation"],
        splits["test"],
        class_names=class_names,
        split_fingerprint=fingerprint,
        rows=SplitRows(*(rows[split][1] for split in ("train", "validation", "test")))
        if rows["validation"][0] == "train"
        else None,
    )


def list_images(shards: Path | Sequence[Path], folders: Sequence[str], allow_empty: bool = False) -> ImageListing:
    """List the images in class folders, in an order that is the same on every machine.

    Args:
        shards: Folder of a split, or its several folders, whose classes are merged.
        folders: Names of its class folders, in the order of the class numbers; or the names of the classes in the
            file ``SPLIT_annotations.txt`` if there is one.
        allow_empty: Whether classes may be empty, as long as one of them has an image.

    Raises:
        UserError: If a folder is missing or has no images.

    Example:
        >>> list_images(Path("/nowhere"), ["cats"])
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: /nowhere/cats has no images (.jpg, .jpeg, .png, ...). ...
    """
    shards = [shards] if isinstance(shards, Path) else list(shards)
    path = shards[0]
    if len(shards) == 1 and annotation_file(path).is_file():
        return _list_annotated(annotation_file(path), folders)
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(folders):
        found = [image for shard in shards for image in _list_class(shard / name)]
        if not found and not allow_empty:
            raise UserError(
                f"{path / name} has no images ({', '.join(SUFFIXES)}). Expected a folder of images for each class."
            )
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise UserError(f"{path} has no images ({', '.join(SUFFIXES)}) in the folders of the classes.")
    return ImageListing(paths, np.array(labels, np.int32))


def _list_class(folder: Path) -> list[Path]:
    return sorted(
        Path(parent, file)
        for parent, _, files in os.walk(folder)
        for file in files
        if file.lower().endswith(SUFFIXES) and not file.startswith(".")
    )


def _list_annotated(file: Path, folders: Sequence[str]) -> ImageListing:
    """List images whose classes are given in a file, one line each, as in the validation split of Tiny ImageNet."""
    number = {name: label for label, name in enumerate(folders)}
    with reading(file, "is not text in UTF-8", "Get the official file."):
        rows = sorted(line.split("\t")[:2] for line in file.read_text("utf-8").splitlines() if line.strip())
    unknown = [row for row in rows if len(row) < 2 or row[1] not in number]
    if unknown:
        raise UserError(f"{file}: {unknown[0]!r} does not name an image and a class. Get the official file.")
    paths = [file.parent / "images" / name for name, _ in rows]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UserError(f"{file} names {len(missing)} images that do not exist, the first is {missing[0]}.")
    return ImageListing(paths, np.array([number[name] for _, name in rows], np.int32))
