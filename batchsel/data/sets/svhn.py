"""SVHN: digits of house numbers, from the official MATLAB files of cropped images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.filesystem.reading import reading
from batchsel.data.builders.image_arrays import Container, form_finder, load_image_arrays
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder
from batchsel.data.formats.matlab import read_matlab

_FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Load SVHN.

    Args:
        card: The card.
        seed: Seed of the validation split, which is carved from the training images.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``uint8[n, 32, 32, 3]`` images, ``int32[n]`` digits.

    Raises:
        UserError: If the files are missing, damaged or not SVHN.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "svhn"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: svhn is not in /nowhere, and ... Expected the files train_32x32.mat ...
    """
    return load_image_arrays(card, seed, folder, _find_container, f"the files {' and '.join(_FILES.values())}")


def _find_container(card: Any, folder: DataFolder) -> Container | None:
    paths = {split: folder.file(name) for split, name in _FILES.items()}
    if not all(path.is_file() for path in paths.values()):
        return None
    return Container("MATLAB files", lambda: _read(paths))


def _read(paths: dict[str, Path]) -> dict[str, np.ndarray]:
    arrays = {}
    for split, path in paths.items():
        with reading(path, "cannot be read as a file of SVHN"):
            matlab = read_matlab(path, ("X", "y"))
            # The samples are the last axis; the digit 0 is written as 10.
            arrays[f"x_{split}"] = np.ascontiguousarray(matlab["X"].transpose(3, 0, 1, 2))
            arrays[f"y_{split}"] = (matlab["y"].ravel() % 10).astype(np.uint8)
    return arrays


find = form_finder(_find_container)
