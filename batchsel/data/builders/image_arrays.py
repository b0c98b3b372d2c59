"""Images of one shape in official containers: found, read, checked against the card, and split.

Whatever the container, shapes, labels and the SHA-256 of the arrays must be those on the card.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.dataset import Dataset, Part
from batchsel.data.download.fetch import DataFolder, found_or_fetched
from batchsel.data.download.hashing import check_content
from batchsel.data.splits import Rows, carve_rows, fingerprint
from batchsel.errors import UserError

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


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


Finder = Callable[[Any, DataFolder], Container | None]


def load_images(card: Any, seed: int, folder: DataFolder, find: Finder, expected: str) -> Dataset:
    """Finds, or downloads, reads, checks and splits.

    Args:
        card: The card: name, files, input shape, sizes, class names and content hashes are used.
        seed: Chooses the validation part among the training images; the official test part stays as it is.
        folder: Where the files lie or will be downloaded to.
        find: Looks for the data in any of their forms.
        expected: These forms in words.

    Returns:
        The data set: ``uint8[n, height, width, channels]`` images, ``int32[n]`` labels.

    Raises:
        UserError: If the files are missing, damaged, or not what the card describes.

    Example:
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> card = SimpleNamespace(name="mine", files=(), by_hand="")
        >>> load_images(card, 0, DataFolder(Path("/nowhere")), lambda card, folder: None, "mine.npz")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine is not in /nowhere. Expected mine.npz. Put ...
    """
    missing = (
        f"Expected {expected}. Put one of them there, name another folder with --data-dir or BATCHSEL_DATA, or allow"
        " the download."
    )
    container = found_or_fetched(card, folder, lambda: find(card, folder), missing)
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
        rows=Rows(kept, carved, np.arange(len(y_test))),
    )


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
    x, y, x_test, y_test = (arrays[name] for name in ARRAYS)
    return [x, y.astype(np.int32), x_test, y_test.astype(np.int32)]


def _shaped(array: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    whole = array.dtype.kind in "iu" and array.size == np.prod(shape) and len(array) == shape[0]
    if not whole or array.min() < 0 or array.max() > 255:
        raise UserError(
            f"{where} is {array.dtype}{list(array.shape)}. Expected uint8{list(shape)}; the file is not "
            "that of this data set, or images and labels are not of the same set. Get it anew."
        )
    return array.astype(np.uint8, copy=False).reshape(shape)
