"""Wine: 178 wines of three cultivars, thirteen chemical measurements each; comes with scikit-learn."""

from __future__ import annotations

from typing import Any

from batchsel.data.builders.tables import build_table_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Load the 178 wines.

    Args:
        card: The card.
        seed: Seed of the validation split.
        folder: Not used; the data come with scikit-learn.

    Returns:
        The data set: ``float32[n, 13]`` standardized features, ``int32[n]`` cultivars.

    Example:
        >>> from batchsel import cards, data
        >>> data.load(cards.load("datasets", "wine")).input_shape
        (13,)
    """
    from sklearn.datasets import load_wine

    bunch: Any = load_wine()
    return build_table_dataset(card, bunch.data, bunch.target, names=bunch.feature_names, seed=seed)
