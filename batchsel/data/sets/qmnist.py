"""QMNIST: MNIST made anew, with all 60,000 digits of the test part."""

from __future__ import annotations

from typing import Any

import numpy as np

from batchsel.data.builders.image_arrays import Container, load_images
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder
from batchsel.data.formats.idx import read_idx

_FILES = {
    "x_train": "qmnist-train-images-idx3-ubyte",
    "y_train": "qmnist-train-labels-idx2-int",
    "x_test": "qmnist-test-images-idx3-ubyte",
    "y_test": "qmnist-test-labels-idx2-int",
}


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Loads QMNIST from its official idx files, packed or not.

    Args:
        card: The card.
        seed: Chooses the validation part among the training images.
        folder: Where the files lie or will be downloaded to.

    Returns:
        The data set: ``uint8[n, 28, 28, 1]`` images, ``int32[n]`` digits.

    Raises:
        UserError: If the files are missing, damaged or not QMNIST.

    Example:
        >>> from pathlib import Path
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "qmnist"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: qmnist is not in /nowhere. Expected the four files qmnist-train-images-...
    """
    expected = f"the four files {', '.join(_FILES.values())} (plain or .gz)"
    return load_images(card, seed, folder, _container, expected)


def find(card: Any, folder: DataFolder) -> str | None:
    """What of the data is in the folder already.

    Args:
        card: The card.
        folder: The folder.

    Returns:
        The form of the files; None if they are not all there.

    Example:
        >>> from pathlib import Path
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "qmnist"), DataFolder(Path("/nowhere")))
    """
    container = _container(card, folder)
    return container and container.form


def _container(card: Any, folder: DataFolder) -> Container | None:
    paths = {
        name: next((path for end in ("", ".gz") if (path := folder.file(file + end)).is_file()), None)
        for name, file in _FILES.items()
    }
    if not all(paths.values()):
        return None

    def read() -> dict[str, np.ndarray]:
        # Of the eight numbers that stand for a label the first is the digit.
        arrays = {name: read_idx(path) for name, path in paths.items()}
        return {name: array[:, 0] if name[0] == "y" and array.ndim == 2 else array for name, array in arrays.items()}

    return Container("idx files", read)
