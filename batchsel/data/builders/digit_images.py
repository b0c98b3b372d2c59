"""What MNIST and the sets made in its image share: the files they come in, and the check of what is in them.

Four containers are known, all of which people have lying about: the official idx files, the same packed with
gzip, one npz as Keras has it, and a folder prepared by TensorFlow Datasets. Whatever the container, shapes,
labels and the SHA-256 of the arrays must be those on the card.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.data.builders.image_arrays import Container, load_images
from batchsel.data.builders.tfds_prepared import find_prepared, read_prepared
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder
from batchsel.data.formats.idx import read_idx
from batchsel.errors import UserError

_IDX_NAMES = {
    "x_train": "train-images{}idx3-ubyte",
    "y_train": "train-labels{}idx1-ubyte",
    "x_test": "t10k-images{}idx3-ubyte",
    "y_test": "t10k-labels{}idx1-ubyte",
}


def load_digit_images(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Finds, or downloads, reads, checks and splits.

    Args:
        card: The card: name, files, input shape, sizes, class names and content hashes are used.
        seed: Chooses the validation part among the training images; the official test part stays as it is.
        folder: Where the files lie or will be downloaded to.

    Returns:
        The data set: ``uint8[n, height, width, 1]`` images, ``int32[n]`` labels.

    Raises:
        UserError: If the files are missing, damaged, or not what the card describes.

    Example:
        >>> from types import SimpleNamespace
        >>> card = SimpleNamespace(name="kmnist", files=())
        >>> load_digit_images(card, 0, DataFolder(Path("/nowhere")))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: kmnist is not in /nowhere. Expected the four idx files (plain or .gz), ...
    """
    expected = f"the four idx files (plain or .gz), {card.name}.npz, or a folder prepared by TensorFlow Datasets"
    return load_images(card, seed, folder, find_container, expected)


def find_container(card: Any, folder: DataFolder) -> Container | None:
    """Looks for the data in any of the known forms.

    Args:
        card: The card; its name is that of the npz file and of the prepared folder.
        folder: Where to look.

    Returns:
        The first container that is complete, or None.

    Example:
        >>> from types import SimpleNamespace
        >>> find_container(SimpleNamespace(name="mnist"), DataFolder(Path("/nowhere")))
    """
    idx = {name: _first_file(folder, pattern) for name, pattern in _IDX_NAMES.items()}
    if all(idx.values()):
        return Container("idx files", lambda: {name: read_idx(path) for name, path in idx.items()})
    npz = folder.file(f"{card.name}.npz")
    if npz.is_file():
        return Container("npz file", lambda: _read_npz(npz))
    prepared = find_prepared(card.name, folder)
    if prepared:
        return Container("files prepared by tfds", lambda: read_prepared(prepared))
    return None


def _first_file(folder: DataFolder, pattern: str) -> Path | None:
    # Some unpackers turn the hyphen before "idx" into a dot.
    paths = (folder.file(pattern.format(joint) + ending) for joint in "-." for ending in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in _IDX_NAMES}
    except (KeyError, TypeError, ValueError, EOFError, OSError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path} is not a whole npz file with the arrays {', '.join(_IDX_NAMES)}: {error}. "
            "Delete it and get it anew."
        ) from error
