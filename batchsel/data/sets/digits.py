"""Digits: 1,797 handwritten digits of 8 by 8 pixels; comes with scikit-learn, so it needs no download.

The 64 pixels are features of a table, divided by 16, their maximum. They are not standardized: pixels at the border
are nearly always 0, and dividing by their tiny deviations would inflate the few that are not.
"""

from __future__ import annotations

from typing import Any

from batchsel.data.builders.tables import build_table_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder

_MAXIMUM = 16.0


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Load the 1,797 digits.

    Args:
        card: The card.
        seed: Seed of the validation split.
        folder: Not used; the data come with scikit-learn.

    Returns:
        The data set: ``float32[n, 64]`` pixels in [0, 1], ``int32[n]`` digits.

    Example:
        >>> from batchsel import cards, data
        >>> data.load(cards.load("datasets", "digits")).train.x.max().item()
        1.0
    """
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return build_table_dataset(card, bunch.data, bunch.target, names=bunch.feature_names, seed=seed, scale=_MAXIMUM)
