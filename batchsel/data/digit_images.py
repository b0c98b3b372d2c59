"""What MNIST and the sets made in its image share: the files they come in, and the check of what is in them.

Four containers are known, all of which people have lying about: the official idx files, the same packed with
gzip, one npz as Keras has it, and a folder prepared by TensorFlow Datasets. Whatever the container, shapes,
labels and the SHA-256 of the arrays must be those on the card.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.content import check_content
from batchsel.data.dataset import Dataset, Part
from batchsel.data.fetch import DataFolder
from batchsel.data.idx import read_idx
from batchsel.data.prepared import find_prepared, read_prepared
from batchsel.data.splits import carve_rows, fingerprint
from batchsel.errors import UserError

_IDX_NAMES = {
    "x_train": "train-images{}idx3-ubyte",
    "y_train": "train-labels{}idx1-ubyte",
    "x_test": "t10k-images{}idx3-ubyte",
    "y_test": "t10k-labels{}idx1-ubyte",
}


class Container(NamedTuple):
    """Files that hold the whole data set.

    Args:
        form: What they are, in words.
        read: Reads the arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Example:
        >>> Container("idx files", dict).read()
        {}
    """

    form: str
    read: Callable[[], dict[str, np.ndarray]]


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
    container = find_container(card, folder) or _fetched(card, folder)
    where = f"{card.name} ({container.form} in {folder.path})"
    x, y, x_test, y_test = _checked(container.read(), card, where)
    carved, kept = carve_rows(y, card.sizes.validation, seed)
    return Dataset(
        card.name,
        card.task,
        train=Part(x[kept], y[kept]),
        validation=Part(x[carved], y[carved]),
        test=Part(x_test, y_test),
        class_names=card.class_names,
        split=fingerprint(kept, carved),
    )


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


def _fetched(card: Any, folder: DataFolder) -> Container:
    if folder.offline or not card.files:
        raise UserError(
            f"{card.name} is not in {folder.path}. Expected the four idx files (plain or .gz), "
            f"{card.name}.npz, or a folder prepared by TensorFlow Datasets. Put one of them there, name "
            "another folder with --data-dir or BATCHSEL_DATA, or allow the download."
        )
    for file in card.files:
        folder.fetch(file)
    container = find_container(card, folder)
    if container is None:
        raise UserError(
            f"the files on the card of {card.name} do not make a whole set. Expected the four idx files, or "
            f"{card.name}.npz; correct the card."
        )
    return container


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


def _checked(arrays: dict[str, np.ndarray], card: Any, where: str) -> list[np.ndarray]:
    counts = {"train": card.sizes.train + card.sizes.validation, "test": card.sizes.test}
    for name, array in arrays.items():
        shape = (counts[name[2:]], *(card.input_shape if name[0] == "x" else ()))
        arrays[name] = _shaped(array, shape, f"{where}: {name}")
        if name[0] == "y" and array.max() >= len(card.class_names):
            row = int(array.argmax())
            raise UserError(
                f"{where}: {name} has the label {array[row]} in row {row}. Expected 0 to "
                f"{len(card.class_names) - 1}; the file is not the official one, get it anew."
            )
    check_content(arrays, card.content, where=where, remedy="Delete the file and get the official one.")
    x, y, x_test, y_test = (arrays[name] for name in _IDX_NAMES)
    return [x, y.astype(np.int32), x_test, y_test.astype(np.int32)]


def _shaped(array: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    whole = array.dtype.kind in "iu" and array.size == np.prod(shape) and len(array) == shape[0]
    if not whole or array.min() < 0 or array.max() > 255:
        raise UserError(
            f"{where} is {array.dtype}{list(array.shape)}. Expected uint8{list(shape)}; the file is not "
            "that of this data set, or images and labels are not of the same set. Get it anew."
        )
    return array.astype(np.uint8, copy=False).reshape(shape)
