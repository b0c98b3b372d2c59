"""MNIST: 70,000 handwritten digits of 28 by 28 pixels."""

from __future__ import annotations

from typing import Any

from batchsel.data.builders.digit_images import find_digit_images, load_digit_images
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Load MNIST from idx files, ``mnist.npz`` or files that TensorFlow Datasets prepared.

    Args:
        card: The card.
        seed: Seed of the validation split, which is carved from the 60,000 training images.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``uint8[n, 28, 28, 1]`` images, ``int32[n]`` digits.

    Raises:
        UserError: If the files are missing, damaged or not MNIST.

    Example:
        >>> from pathlib import Path
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "mnist"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mnist is not in /nowhere, and ... Expected the four idx files (plain or .gz), ...
    """
    return load_digit_images(card, seed, folder)


find = find_digit_images
