"""Tables: from features and targets to a split, standardized data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from batchsel.data.dataset import Dataset, check_arrays, split_arrays
from batchsel.data.splits import fingerprint, split_rows
from batchsel.data.storage.hashing import check_content
from batchsel.errors import UserError

DIFFICULTY = "difficulty"
SPIRAL_COLUMNS = ("x1", "x2", "label", DIFFICULTY)
"""Columns that `batchsel spirals` writes. The last is made from the label, so it is not a feature."""


def build_table_dataset(
    card: Any,
    x: np.ndarray,
    y: np.ndarray,
    *,
    names: Sequence[str] = (),
    seed: int = 0,
    scale: float | None = None,
) -> Dataset:
    """Split a table and scale its features.

    Args:
        card: The card, whose name, sizes, task, class names and content hashes (``x`` and ``y``) are used.
        x: Features, ``[n, d]``.
        y: Class numbers or values, ``[n]``.
        names: Names of the features, if known.
        seed: Seed of the validation split; the test split is always the same.
        scale: Known maximum to divide by; by default, each feature is standardized by mean and standard deviation of
            the training split.

    Returns:
        The data set, with ``float32[n, d]`` features and ``int32[n]`` or ``float32[n]`` targets.

    Raises:
        UserError: If the table is not the one that the card describes, or cannot be trained on.

    Example:
        >>> from types import SimpleNamespace as Bag
        >>> sizes = Bag(total=10, validation=2, test=3)
        >>> card = Bag(name="mine", task="regression", sizes=sizes, class_names=(), content={})
        >>> dataset = build_table_dataset(card, np.arange(20.0).reshape(10, 2), np.arange(10.0))
        >>> len(dataset.train), round(float(dataset.train.x.std()), 4)
        (5, 1.0)
    """
    classification = card.task == "classification"
    _check_table(card, x, y)
    strata = y if classification else np.zeros(len(y), np.int64)
    rows = split_rows(strata, card.sizes.validation, card.sizes.test, seed)
    center, spread = (0.0, scale) if scale else mean_and_deviation(x[rows.train])
    scaled = ((x - center) / spread).astype(np.float32)
    y = y.astype(np.int32 if classification else np.float32)
    return Dataset(
        card.name,
        card.task,
        *split_arrays(scaled, y, rows),
        class_names=card.class_names,
        split_fingerprint=fingerprint(*rows),
        feature_names=tuple(names),
        rows=rows,
        raw=lambda split: x[getattr(rows, split)],
    )


def mean_and_deviation(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each feature.

    Args:
        x: Features of the training split, ``[n, d]``; of no other, or the test would leak into the training.

    Returns:
        ``float64[d]`` means and ``float64[d]`` deviations, which are 1 for constant features.

    Example:
        >>> mean, deviation = mean_and_deviation(np.array([[1.0, 7.0], [3.0, 7.0]]))
        >>> mean.tolist(), deviation.tolist()
        ([2.0, 7.0], [1.0, 1.0])
    """
    deviation = x.std(axis=0, dtype=np.float64)
    return x.mean(axis=0, dtype=np.float64), np.where(deviation > 0, deviation, 1.0)


def _check_table(card: Any, x: np.ndarray, y: np.ndarray) -> None:
    check_arrays(x, y, where=card.name, classes=len(card.class_names) or None)
    if len(x) != card.sizes.total:
        raise UserError(
            f"{card.name}: {len(x)} rows, but the sizes on the card add up to {card.sizes.total}. "
            "Correct the card, or get the data that it describes."
        )
    remedy = "Get the data that it describes (for an embedded set, another release of scikit-learn)."
    check_content({"x": x, "y": y.astype(np.int64)}, card.content, where=card.name, remedy=remedy)
