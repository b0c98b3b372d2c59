"""QMNIST: MNIST reconstructed from its source, with all 60,000 test digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from batchsel.data.builders.image_arrays import Container, form_finder, load_image_arrays
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
    """Load QMNIST from its official idx files, plain or compressed with gzip.

    Args:
        card: The card.
        seed: Seed of the validation split, which is carved from the training images.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``uint8[n, 28, 28, 1]`` images, ``int32[n]`` digits.

    Raises:
        UserError: If the files are missing, damaged or not QMNIST.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "qmnist"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: qmnist is not in /nowhere, and ... Expected the four files qmnist-train-images-...
    """
    expected = f"the four files {', '.join(_FILES.values())} (plain or .gz)"
    return load_image_arrays(card, seed, folder, _find_container, expected)


def _find_container(card: Any, folder: DataFolder) -> Container | None:
    paths = {
        name: path
        for name, file in _FILES.items()
        if (path := next((path for end in ("", ".gz") if (path := folder.file(file + end)).is_file()), None))
    }
    return Container("idx files", lambda: _read(paths)) if len(paths) == len(_FILES) else None


def _read(paths: dict[str, Path]) -> dict[str, np.ndarray]:
    # A label is eight numbers, the first of which is the digit.
    arrays = {name: read_idx(path) for name, path in paths.items()}
    return {name: array[:, 0] if name[0] == "y" and array.ndim == 2 else array for name, array in arrays.items()}


find = form_finder(_find_container)
