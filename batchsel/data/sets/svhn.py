"""SVHN: digits of house numbers, from the official MATLAB files of cropped pictures."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.data.builders.image_arrays import Container, load_images
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder
from batchsel.errors import UserError

_FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Loads SVHN.

    Args:
        card: The card.
        seed: Chooses the validation part among the training pictures.
        folder: Where the files lie or will be downloaded to.

    Returns:
        The data set: ``uint8[n, 32, 32, 3]`` pictures, ``int32[n]`` digits.

    Raises:
        UserError: If the files are missing, damaged or not SVHN.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "svhn"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: svhn is not in /nowhere. Expected the files train_32x32.mat and test_32x32.mat. ...
    """
    return load_images(card, seed, folder, _container, f"the files {' and '.join(_FILES.values())}")


def find(card: Any, folder: DataFolder) -> str | None:
    """What of the data is in the folder already.

    Args:
        card: The card.
        folder: The folder.

    Returns:
        The form of the files; None if they are not all there.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "svhn"), DataFolder(Path("/nowhere")))
    """
    container = _container(card, folder)
    return container and container.form


def _container(card: Any, folder: DataFolder) -> Container | None:
    paths = {part: folder.file(name) for part, name in _FILES.items()}
    if not all(path.is_file() for path in paths.values()):
        return None
    return Container("MATLAB files", functools.partial(_read, paths))


def _read(paths: dict[str, Path]) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    arrays = {}
    for part, path in paths.items():
        try:
            held = loadmat(path, variable_names=("X", "y"))
            # The samples are the last axis; the digit 0 is written as 10.
            arrays[f"x_{part}"] = np.ascontiguousarray(held["X"].transpose(3, 0, 1, 2))
            arrays[f"y_{part}"] = (held["y"].ravel() % 10).astype(np.uint8)
        except Exception as error:  # what the reader raises for damaged files is not written down anywhere
            raise UserError(f"{path} cannot be read as a file of SVHN ({error}). Delete it and get it anew.") from error
    return arrays
