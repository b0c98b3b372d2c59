"""Images of one shape in official files: find, read, check against the card, and split.

Whatever the form of the files, shapes, labels and the SHA-256 of the arrays must be those on the card.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.dataset import Dataset, Split
from batchsel.data.download.fetch import DataFolder, find_or_fetch
from batchsel.data.splits import SplitRows, carve_rows, fingerprint
from batchsel.data.storage.hashing import check_content
from batchsel.errors import UserError

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class Container(NamedTuple):
    """Files that hold the whole data set.

    Args:
        form: Description of the files, as in ``"idx files"``.
        read: Reads the arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Example:
        >>> Container("idx files", dict).read()
        {}
    """

    form: str
    read: Callable[[], dict[str, np.ndarray]]


ContainerFinder = Callable[[Any, DataFolder], Container | None]


def form_finder(find_container: ContainerFinder) -> Callable[[Any, DataFolder], str | None]:
    """Return the function `find` of a loader: it returns the form of the files that are there, else None.

    Args:
        find_container: Finds the data in any of their forms, given the card and the folder.

    Example:
        >>> find = form_finder(lambda card, folder: Container("idx files", dict))
        >>> find(None, None)
        'idx files'
    """

    def find(card: Any, folder: DataFolder) -> str | None:
        container = find_container(card, folder)
        return container.form if container else None

    return find


RowSplitter = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Function of the official training labels and the seed: the rows to train on, and those of the validation split."""


def load_image_arrays(
    card: Any,
    seed: int,
    folder: DataFolder,
    find_container: ContainerFinder,
    expected: str,
    split: RowSplitter | None = None,
) -> Dataset:
    """Find or download the files, read and check them, and split the data.

    Args:
        card: The card, whose name, files, input shape, sizes, class names and content hashes are used.
        seed: Seed of the validation split, which is carved from the training images; the official test split stays.
        folder: Where the files are or will be downloaded to.
        find_container: Finds the data in any of their forms.
        expected: Description of these forms, for the message.
        split: Chooses among the training images; None to use all, with a stratified validation split.

    Returns:
        The data set: ``uint8[n, height, width, channels]`` images, ``int32[n]`` labels.

    Raises:
        UserError: If the files are missing, damaged, or not what the card describes.

    Example:
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> card = SimpleNamespace(name="mine", files=(), by_hand="")
        >>> load_image_arrays(card, 0, DataFolder(Path("/nowhere")), lambda card, folder: None, "mine.npz")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine is not in /nowhere. Expected mine.npz. Put ...
    """
    container = find_or_fetch(card, folder, lambda: find_container(card, folder), expected)
    where = f"{card.name} ({container.form} in {folder.path})"
    arrays = container.read()
    official = card.sizes.train + card.sizes.validation if split is None else len(arrays["y_train"])
    x, y, x_test, y_test = _check(arrays, card, where, official)
    if split is None:
        carved, kept = carve_rows(y, card.sizes.validation, seed)
    else:
        kept, carved = split(y, seed)
        if (len(kept), len(carved)) != (card.sizes.train, card.sizes.validation):
            raise UserError(
                f"{where} has {official:,} training images, of which {len(kept):,} are for training and"
                f" {len(carved):,} for validation. Expected {card.sizes.train:,} and {card.sizes.validation:,}; get the"
                " official file."
            )
    return Dataset(
        card.name,
        card.task,
        train=Split(x[kept], y[kept]),
        validation=Split(x[carved], y[carved]),
        test=Split(x_test, y_test),
        class_names=card.class_names,
        split_fingerprint=fingerprint(kept, carved),
        rows=SplitRows(kept, carved, np.arange(len(y_test))),
    )


def _check(arrays: dict[str, np.ndarray], card: Any, where: str, official: int) -> list[np.ndarray]:
    counts = {"train": official, "test": card.sizes.test}
    for name, array in arrays.items():
        shape = (counts[name[2:]], *(card.input_shape if name[0] == "x" else ()))
        arrays[name] = _to_bytes(array, shape, f"{where}: {name}")
        if name[0] == "y" and array.max() >= len(card.class_names):
            row = int(array.argmax())
            raise UserError(
                f"{where}: {name} has the label {array[row]} in row {row}. Expected 0 to "
                f"{len(card.class_names) - 1}; the file is not the official one, download it again."
            )
    check_content(arrays, card.content, where=where, remedy="Delete the file and get the official one.")
    x, y, x_test, y_test = (arrays[name] for name in ARRAYS)
    return [x, y.astype(np.int32), x_test, y_test.astype(np.int32)]


def _to_bytes(array: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    fits = array.dtype.kind in "iu" and array.size == np.prod(shape) and len(array) == shape[0]
    if not fits or array.min() < 0 or array.max() > 255:
        raise UserError(
            f"{where} is {array.dtype}{list(array.shape)}. Expected uint8{list(shape)}; the file belongs to another "
            "data set, or images and labels belong to different ones. Download it again."
        )
    return array.astype(np.uint8, copy=False).reshape(shape)
