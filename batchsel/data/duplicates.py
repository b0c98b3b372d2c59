"""Samples that occur in more than one part of a data set: what is tested on was seen in training."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from batchsel.data.dataset import Dataset, Part
from batchsel.data.sources import Source

_BLOCK = 1024


def repeated(dataset: Dataset) -> dict[str, int]:
    """How many samples of validation and test part occur in the training part, too, to the last bit of their inputs.

    Args:
        dataset: The data.

    Returns:
        Counts by the name of the part.

    Example:
        >>> part = Part(np.array([[1.0], [2.0]]), np.array([0, 1]))
        >>> other = Part(np.array([[2.0], [3.0]]), np.array([1, 1]))
        >>> repeated(Dataset("mine", "classification", part, other, other, ("no", "yes")))
        {'validation': 1, 'test': 1}
    """
    seen = set(_digests(dataset.train))
    parts = {"validation": dataset.validation, "test": dataset.test}
    return {name: sum(digest in seen for digest in _digests(part)) for name, part in parts.items()}


def _digests(part: Part | Source) -> Iterator[bytes]:
    """A hash of the inputs of each sample."""
    for first in range(0, len(part), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(part)))
        x = part.x[rows] if isinstance(part, Part) else part.take(rows)[0]
        for row in np.ascontiguousarray(x):
            yield hashlib.blake2b(row.tobytes(), digest_size=16).digest()
