"""Tables: from rows and labels to a split, standardized data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from batchsel.data.dataset import Dataset, Part, check_arrays
from batchsel.data.download.hashing import check_content
from batchsel.data.splits import fingerprint, split_rows
from batchsel.errors import UserError


def table_dataset(
    card: Any,
    x: np.ndarray,
    y: np.ndarray,
    *,
    names: Sequence[str] = (),
    seed: int = 0,
    scale: float | None = None,
) -> Dataset:
    """Splits a table, scales it, and makes the data set.

    Args:
        card: The card: its sizes, task, class names and content hashes (``x`` and ``y``) are used.
        x: Features, ``[n, d]``.
        y: Class numbers or values, ``[n]``.
        names: Names of the features, if known.
        seed: Chooses the validation part; the test part is always the same.
        scale: A known greatest value to divide by; without one, each feature is standardized with mean and
            deviation of the training part.

    Returns:
        The data set, with ``float32[n, d]`` features and ``int32[n]`` or ``float32[n]`` targets.

    Raises:
        UserError: If the table is not the one that the card describes, or cannot be trained on.

    Example:
        >>> from types import SimpleNamespace as Bag
        >>> sizes = Bag(total=10, validation=2, test=3)
        >>> card = Bag(name="mine", task="regression", sizes=sizes, class_names=(), content={})
        >>> dataset = table_dataset(card, np.arange(20.0).reshape(10, 2), np.arange(10.0))
        >>> len(dataset.train), round(float(dataset.train.x.std()), 4)
        (5, 1.0)
    """
    classification = card.task == "classification"
    _check_table(card, x, y)
    strata = y if classification else np.zeros(len(y), np.int64)
    rows = split_rows(strata, card.sizes.validation, card.sizes.test, seed)
    middle, spread = (0.0, scale) if scale else spread_of(x[rows.train])
    scaled = ((x - middle) / spread).astype(np.float32)
    y = y.astype(np.int32 if classification else np.float32)
    parts = {name: Part(scaled[index], y[index]) for name, index in rows._asdict().items()}
    return Dataset(
        card.name,
        card.task,
        **parts,
        class_names=card.class_names,
        split=fingerprint(*rows),
        feature_names=tuple(names),
        rows=rows,
        raw=lambda part: x[getattr(rows, part)],
    )


def spread_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature.

    Args:
        x: Features of the training part, ``[n, d]``; of no other part, or the test would leak into the
            training.

    Returns:
        ``float64[d]`` means and ``float64[d]`` deviations, 1 where a feature is constant.

    Example:
        >>> mean, deviation = spread_of(np.array([[1.0, 7.0], [3.0, 7.0]]))
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
