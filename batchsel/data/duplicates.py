"""Samples that occur in more than one part of a data set: what is tested on was seen in training."""

from __future__ import annotations

import numpy as np

from batchsel.data.dataset import Dataset, Part


def repeated(dataset: Dataset) -> dict[str, int]:
    """How many samples of validation and test part occur in the training part, too, to the last bit of their inputs.

    Args:
        dataset: The data.

    Returns:
        Counts by the name of the part; nothing for parts that do not lie in memory.

    Example:
        >>> part = Part(np.array([[1.0], [2.0]]), np.array([0, 1]))
        >>> other = Part(np.array([[2.0], [3.0]]), np.array([1, 1]))
        >>> repeated(Dataset("mine", "classification", part, other, other, ("no", "yes")))
        {'validation': 1, 'test': 1}
    """
    if not isinstance(dataset.train, Part):
        return {}
    seen = set(_rows(dataset.train.x))
    parts = {"validation": dataset.validation, "test": dataset.test}
    return {name: sum(row in seen for row in _rows(part.x)) for name, part in parts.items() if isinstance(part, Part)}


def _rows(x: np.ndarray) -> list[bytes]:
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    return [row.tobytes() for row in flat]
