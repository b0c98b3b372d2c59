"""Digits: 1,797 handwritten digits of 8 by 8 pixels; comes with scikit-learn, so it needs no download.

The 64 pixels are features of a table, divided by 16, their greatest value. They are not standardized: pixels
at the rim are nearly always 0, and dividing by their tiny deviations would make the few that are not shout.
"""

from __future__ import annotations

from typing import Any

from batchsel.data.builders.tables import table_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder

_GREATEST = 16.0


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Loads the 1,797 digits.

    Args:
        card: The card.
        seed: Chooses the validation part.
        folder: Not looked at; the data come with scikit-learn.

    Returns:
        The data set: ``float32[n, 64]`` pixels in [0, 1], ``int32[n]`` digits.

    Example:
        >>> from batchsel import cards, data
        >>> data.load(cards.load("datasets", "digits")).train.x.max().item()
        1.0
    """
    from sklearn.datasets import load_digits

    held = load_digits()
    return table_dataset(card, held.data, held.target, names=held.feature_names, seed=seed, scale=_GREATEST)
