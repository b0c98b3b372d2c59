"""CIFAR-10 and CIFAR-100 in their official forms, and CIFAR-10 as JPEG streams.

The official archives are read in place, member by member; nothing is unpacked, so no path in them can lead anywhere.
The pickles of the Python form are read as records of arrays: nothing that they name is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from batchsel.core.filesystem.reading import describe, reading
from batchsel.core.parameters import LARGEST, Between
from batchsel.data.builders.image_arrays import Container, form_finder, load_image_arrays
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder
from batchsel.data.formats.archives import read_tar_members
from batchsel.data.formats.array_pickle import read_array_pickle
from batchsel.data.formats.jpeg import decode_jpegs
from batchsel.data.formats.npz import read_npz
from batchsel.data.splits import draw_balanced_rows
from batchsel.data.storage.hashing import check_content
from batchsel.data.variants.corruption import long_tail_sizes
from batchsel.errors import UserError

_SHAPE = (32, 32, 3)
_FILES = {
    10: {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]},
    100: {"train": ["train"], "test": ["test"]},
}
FileReader = Callable[[], dict[str, bytes]]
"""Function that reads the files of a form: contents by name."""
BatchParser = Callable[[bytes, int, str], tuple[np.ndarray, np.ndarray]]
"""Function that parses a file, given its bytes, the number of classes and its name: images and labels."""


@dataclass(frozen=True)
class Options:
    """Options of a card, checked when the card is read."""

    imbalance: Annotated[float, Between(1, LARGEST)] | None = None


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Load CIFAR from an official archive or its unpacked folder, binary or Python, or from JPEG streams.

    Args:
        card: The card; the number of its class names decides between CIFAR-10 and CIFAR-100. The option ``imbalance``
            keeps an exponential share of each class: the first ⌊n r^(−c / (C − 1))⌋ images of class c, in official
            order. The validation split then has as many images of each class, as the test split has, of those that
            are left out.
        seed: Seed of the validation split, which is carved from the training images.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``uint8[n, 32, 32, 3]`` images, ``int32[n]`` labels.

    Raises:
        UserError: If the files are missing, damaged or not CIFAR.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "cifar10"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cifar10 is not in /nowhere, and ... Expected cifar-10-binary.tar.gz, ...
    """
    name = f"cifar-{len(card.class_names)}"
    expected = f"{name}-binary.tar.gz, {name}-python.tar.gz, or the folder of either"
    ratio, classes = card.options.get("imbalance"), len(card.class_names)
    if not ratio:
        return load_image_arrays(card, seed, folder, _find_container, expected)

    def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        return split_long_tail(labels, ratio, card.sizes.validation // classes, seed)

    return load_image_arrays(card, seed, folder, _find_container, expected, split)


def long_tail_rows(labels: np.ndarray, ratio: float) -> np.ndarray:
    """Return the rows of a training split that leave classes of exponentially shrinking size.

    Args:
        labels: ``int[n]``, classes of equal size.
        ratio: Size of the first class over that of the last.

    Returns:
        Row numbers, sorted: the first ⌊m ratio^(−c / (C − 1))⌋ rows of class c, where m is the size of a class.

    Example:
        >>> len(long_tail_rows(np.repeat(np.arange(100), 500), 100.0))
        10847
    """
    counts = np.bincount(labels)
    sizes = long_tail_sizes(int(counts[0]), len(counts), ratio)
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:size] for c, size in enumerate(sizes)]))


def split_long_tail(labels: np.ndarray, ratio: float, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a long-tailed training split, and of a validation split with as many rows of each class.

    Accuracy on a validation split with a long tail would hardly depend on the rare classes.

    Args:
        labels: ``int[n]``, classes of equal size.
        ratio: As for `long_tail_rows`.
        each: Validation rows of each class: of those that the training split leaves out or, where these are too few,
            of all.
        seed: Seed of the validation split.

    Example:
        >>> train, validation = split_long_tail(np.repeat(np.arange(100), 500), 100.0, 10, 0)
        >>> len(train), len(validation)
        (10837, 1000)
    """
    kept = long_tail_rows(labels, ratio)
    free = np.ones(len(labels), bool)
    free[kept] = False
    scarce = np.bincount(labels[free], minlength=labels.max() + 1) < each
    candidates = np.flatnonzero(free | scarce[labels])
    validation = candidates[draw_balanced_rows(labels[candidates], each, seed)]
    return np.setdiff1d(kept, validation), validation


def _find_container(card: Any, folder: DataFolder) -> Container | None:
    classes = len(card.class_names)
    for form, ending, inner, parse in (
        ("binary", "bin", ".bin", _parse_binary),
        ("Python", "py", "", _parse_pickle),
    ):
        unpacked = folder.file(f"cifar-10-batches-{ending}" if classes == 10 else f"cifar-100-{form.lower()}")
        archive = folder.file(f"cifar-{classes}-{form.lower()}.tar.gz")
        files = {split: [name + inner for name in names] for split, names in _FILES[classes].items()}
        names = [name for split in files.values() for name in split]
        if all((unpacked / name).is_file() for name in names):
            return _container(f"{form} files", files, _folder_reader(unpacked, names), parse, card)
        if archive.is_file():
            return _container(f"{form} archive", files, _archive_reader(archive, names), parse, card)
    npz = folder.file(f"{card.folder}_jpeg.npz")
    return Container("JPEG streams, lossy", lambda: _read_jpegs(npz, card)) if npz.is_file() else None


find = form_finder(_find_container)


def _container(form: str, files: dict[str, list[str]], read: FileReader, parse: BatchParser, card: Any) -> Container:
    def arrays() -> dict[str, np.ndarray]:
        contents, found = read(), {}
        for split, names in files.items():
            batches = [parse(contents[name], len(card.class_names), f"{card.name}, {name}") for name in names]
            found[f"x_{split}"], found[f"y_{split}"] = map(np.concatenate, zip(*batches, strict=True))
        return found

    return Container(form, arrays)


def _folder_reader(folder: Path, names: list[str]) -> FileReader:
    def read() -> dict[str, bytes]:
        found = {}
        for name in names:
            with reading(folder / name):
                found[name] = (folder / name).read_bytes()
        return found

    return read


def _archive_reader(path: Path, names: list[str]) -> FileReader:
    def read() -> dict[str, bytes]:
        members = read_tar_members(path, lambda name: name.rpartition("/")[2] in names)
        found = {name.rpartition("/")[2]: content for name, content in members}
        missing = sorted(set(names) - set(found))
        if missing:
            raise UserError(f"{path} does not contain {', '.join(missing)}. Get the official archive.")
        return found

    return read


def _parse_binary(raw: bytes, classes: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Parse the binary form: a label (in CIFAR-100 a coarse and a fine one), then all of red, green and blue."""
    labels = 1 if classes == 10 else 2
    width = labels + int(np.prod(_SHAPE))
    if not raw or len(raw) % width:
        raise UserError(
            f"{where}: {len(raw)} bytes are not a whole number of records of {width}. Download the file again."
        )
    table = np.frombuffer(raw, np.uint8).reshape(-1, width)
    return _to_images(table[:, labels:]), table[:, labels - 1]


def _parse_pickle(raw: bytes, classes: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Parse the Python form: a dictionary with an array of images and a list of labels."""
    try:
        batch = read_array_pickle(raw)
        labels, rows = batch[b"labels" if classes == 10 else b"fine_labels"], batch[b"data"]
        if not isinstance(labels, np.ndarray):
            if not isinstance(labels, list) or any(type(label) is not int for label in labels):
                raise TypeError("its labels are not a list of whole numbers")
            labels = np.array(labels, np.int64)
        if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or labels.ndim != 1:
            raise TypeError("its images are not an array of bytes, or its labels not a list")
        images = _to_images(rows)
    except Exception as error:  # the unpickler does not document what it raises for damaged files
        raise UserError(
            f"{where} is not a batch of CIFAR in Python form ({describe(error)}). Download it again."
        ) from error
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise UserError(
            f"{where}: the label {labels[outside[0]]} in row {outside[0]} is outside 0 to {classes - 1}. Download it"
            " again."
        )
    return images, labels


def _to_images(rows: np.ndarray) -> np.ndarray:
    channels_first = rows.reshape(-1, _SHAPE[2], _SHAPE[0], _SHAPE[1])
    return np.ascontiguousarray(channels_first.transpose(0, 2, 3, 1))


def _read_jpegs(path: Path, card: Any) -> dict[str, np.ndarray]:
    held = read_npz(path, [f"{name}_{split}" for split in ("train", "test") for name in ("jpeg", "offsets", "y")])
    streams = {name: array for name, array in held.items() if name.startswith("jpeg_")}
    check_content(streams, card.content, where=str(path), remedy="Get the file that the card describes.")
    arrays = {}
    for split in ("train", "test"):
        jpegs, offsets = held[f"jpeg_{split}"], held[f"offsets_{split}"]
        arrays[f"x_{split}"] = decode_jpegs(jpegs, offsets, _SHAPE, f"{path}, {split} split")
        arrays[f"y_{split}"] = held[f"y_{split}"]
    return arrays
