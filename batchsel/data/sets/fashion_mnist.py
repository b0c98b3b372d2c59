"""Fashion-MNIST: 70,000 images of ten kinds of clothing, 28 by 28 pixels, in the files of MNIST."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from batchsel.data.builders.digit_images import find_digit_images, load_digit_images
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder

PACKAGED = Path("/usr/share/datasets/fashion-mnist")
"""Folder of Debian's package dataset-fashion-mnist, which is read where the data folder does not have the files."""


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Load Fashion-MNIST from idx files, ``fashion_mnist.npz`` or files that TensorFlow Datasets prepared.

    Args:
        card: The card.
        seed: Seed of the validation split, which is carved from the 60,000 training images.
        folder: Where the files are or will be downloaded to; where they are not, Debian's package may have them.

    Returns:
        The data set: ``uint8[n, 28, 28, 1]`` images, ``int32[n]`` kinds of clothing.

    Raises:
        UserError: If the files are missing, damaged or not Fashion-MNIST.

    Example:
        >>> from batchsel import cards
        >>> folder = DataFolder(Path("/data/fashion_mnist"))
        >>> load(cards.load("datasets", "fashion_mnist"), 0, folder).train.x.shape  # doctest: +SKIP
        (55000, 28, 28, 1)
    """
    return load_digit_images(card, seed, DataFolder(PACKAGED) if _find_packaged(card, folder) else folder)


def find(card: Any, folder: DataFolder) -> str | None:
    """Return the form of the data that is there, or None.

    Example:
        >>> from batchsel import cards
        >>> folder = DataFolder(Path("/data/fashion_mnist"))
        >>> find(cards.load("datasets", "fashion_mnist"), folder)  # doctest: +SKIP
        'idx files of a Debian package'
    """
    packaged = _find_packaged(card, folder)
    return f"{packaged} of a Debian package" if packaged else find_digit_images(card, folder)


def _find_packaged(card: Any, folder: DataFolder) -> str | None:
    """Return the form of the data in Debian's package; None if it is not needed or not there."""
    return None if find_digit_images(card, folder) else find_digit_images(card, DataFolder(PACKAGED))
