"""Iris: 150 flowers of three species, four lengths each; comes with scikit-learn."""

from __future__ import annotations

from typing import Any

from batchsel.data.builders.tables import build_table_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Load the 150 flowers.

    Args:
        card: The card.
        seed: Seed of the validation split.
        folder: Not used; the data come with scikit-learn.

    Returns:
        The data set: ``float32[n, 4]`` standardized features, ``int32[n]`` species.

    Example:
        >>> from batchsel import cards, data
        >>> data.load(cards.load("datasets", "iris")).train.x.shape
        (90, 4)
    """
    from sklearn.datasets import load_iris

    bunch: Any = load_iris()
    return build_table_dataset(card, bunch.data, bunch.target, names=bunch.feature_names, seed=seed)
