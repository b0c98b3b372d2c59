"""MNIST and the data sets modeled on it, in any of the forms that people have them.

Four forms are known: the official idx files, the same compressed with gzip, one npz file as Keras has it, and a folder
prepared by TensorFlow Datasets. Whatever the form, shapes, labels and the SHA-256 of the arrays must be those on the
card.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from batchsel.data.builders.image_arrays import Container, form_finder, load_image_arrays
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder
from batchsel.data.formats.idx import read_idx
from batchsel.data.formats.npz import read_npz
from batchsel.data.formats.tfds_prepared import find_prepared, read_prepared

_IDX_NAMES = {
    "x_train": "train-images{}idx3-ubyte",
    "y_train": "train-labels{}idx1-ubyte",
    "x_test": "t10k-images{}idx3-ubyte",
    "y_test": "t10k-labels{}idx1-ubyte",
}


def load_digit_images(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Find or download the files, read and check them, and split the data.

    Args:
        card: The card, whose name, files, input shape, sizes, class names and content hashes are used.
        seed: Seed of the validation split, which is carved from the training images; the official test split stays.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``uint8[n, height, width, 1]`` images, ``int32[n]`` labels.

    Raises:
        UserError: If the files are missing, damaged, or not what the card describes.

    Example:
        >>> from types import SimpleNamespace
        >>> card = SimpleNamespace(name="kmnist", files=(), by_hand="")
        >>> load_digit_images(card, 0, DataFolder(Path("/nowhere")))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: kmnist is not in /nowhere. Expected the four idx files (plain or .gz), ...
    """
    expected = f"the four idx files (plain or .gz), {card.name}.npz, or a folder prepared by TensorFlow Datasets"
    return load_image_arrays(card, seed, folder, find_container, expected)


def find_container(card: Any, folder: DataFolder) -> Container | None:
    """Return the first form of the data that is complete, or None.

    Args:
        card: The card; its name is that of the npz file and of the prepared folder.
        folder: Where to look.

    Example:
        >>> from types import SimpleNamespace
        >>> find_container(SimpleNamespace(name="mnist"), DataFolder(Path("/nowhere")))
    """
    idx = {name: path for name, pattern in _IDX_NAMES.items() if (path := _find_idx(folder, pattern))}
    if len(idx) == len(_IDX_NAMES):
        return Container("idx files", lambda: {name: read_idx(path) for name, path in idx.items()})
    npz = folder.file(f"{card.name}.npz")
    if npz.is_file():
        return Container("npz file", lambda: read_npz(npz, list(_IDX_NAMES)))
    prepared = find_prepared(card.name, folder.path)
    if prepared:
        return Container("files prepared by tfds", lambda: read_prepared(prepared))
    return None


find_digit_images = form_finder(find_container)


def _find_idx(folder: DataFolder, pattern: str) -> Path | None:
    # Some programs that unpack archives turn the hyphen before "idx" into a dot.
    paths = (folder.file(pattern.format(joint) + ending) for joint in "-." for ending in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)
