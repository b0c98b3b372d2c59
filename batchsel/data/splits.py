"""Stratified splits that depend on a seed and are the same on every machine, forever.

The draw orders rows by the raw 64-bit words of NumPy's PCG64. NumPy guarantees that these words never change; it
gives no such guarantee for `Generator.permutation`, nor does scikit-learn for `train_test_split`. Shares are counted
in whole numbers, so the rounding of floats never decides where a row goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from batchsel.errors import UserError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("valid", "val", "validation"),
    "test": ("test", "testing"),
}
"""Names that people give to folders and files of each split."""
_TEST_STREAM = 1
_VALIDATION_STREAM = 2
_SAMPLE_STREAM = 3


class SplitRows(NamedTuple):
    """Sorted row numbers of each split.

    Args:
        train: ``int64[train]``.
        validation: ``int64[validation]``.
        test: ``int64[test]``.

    Example:
        >>> SplitRows(np.array([0, 2]), np.array([1]), np.array([3])).train.tolist()
        [0, 2]
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(strata: np.ndarray, validation: int, test: int, seed: int = 0) -> SplitRows:
    """Divide rows into training, validation and test split.

    The test split is the same for every seed, as an official one would be: rows used for tuning under one seed must
    never be reported on under another. The seed chooses the validation split among the other rows.

    Args:
        strata: ``int[n]``, the class of each row, whose shares every split keeps. All zeros for no stratification.
        validation: Number of validation rows.
        test: Number of test rows.
        seed: Seed of the split.

    Returns:
        The rows of each split; together they are all n rows, once each.

    Raises:
        UserError: If no training row would be left.

    Example:
        >>> rows = split_rows(np.array([0, 1] * 10), validation=4, test=6, seed=0)
        >>> [len(split) for split in rows]
        [10, 4, 6]
    """
    held_out = draw_test_rows(strata, test)
    rest = np.setdiff1d(np.arange(len(strata)), held_out)
    carved, kept = carve_rows(strata[rest], validation, seed)
    return SplitRows(rest[kept], rest[carved], held_out)


def draw_test_rows(strata: np.ndarray, count: int) -> np.ndarray:
    """Draw a test split, the same for every seed; see `split_rows`.

    Args:
        strata: ``int[n]``, the class of each row.
        count: Number of rows.

    Returns:
        ``int64[count]``, sorted.

    Example:
        >>> len(draw_test_rows(np.array([0, 1] * 10), 6))
        6
    """
    return draw_rows(strata, count, seed=0, stream=_TEST_STREAM)


def draw_sample_rows(strata: np.ndarray, count: int) -> np.ndarray:
    """Draw a sample of a data set, the same for every seed.

    Args:
        strata: ``int[n]``, the class of each row, whose shares the sample keeps.
        count: Number of rows.

    Returns:
        ``int64[count]``, sorted.

    Raises:
        UserError: If `count` is not below the number of rows.

    Example:
        >>> rows = draw_sample_rows(np.array([0] * 10 + [1] * 30), 8)
        >>> int((rows >= 10).sum())
        6
    """
    return draw_rows(strata, count, seed=0, stream=_SAMPLE_STREAM)


def carve_rows(strata: np.ndarray, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Carve a validation split from training data.

    Args:
        strata: ``int[n]``, the class of each row.
        count: Number of rows to carve.
        seed: Seed of the split.

    Returns:
        ``int64[count]``, the carved rows, and ``int64[n - count]``, the other rows; both sorted.

    Raises:
        UserError: If no row would be left.

    Example:
        >>> carved, kept = carve_rows(np.array([0, 0, 0, 1, 1, 1]), 2)
        >>> len(carved), len(kept)
        (2, 4)
    """
    chosen = draw_rows(strata, count, seed=seed, stream=_VALIDATION_STREAM)
    return chosen, np.setdiff1d(np.arange(len(strata)), chosen)


def draw_balanced_rows(strata: np.ndarray, each: int, seed: int = 0) -> np.ndarray:
    """Draw as many rows of each stratum, for validation on classes of equal size.

    Args:
        strata: ``int[n]``, the class of each row, numbered from 0.
        each: Rows of each class.
        seed: Seed of the draw.

    Returns:
        ``int64[classes * each]``, sorted.

    Raises:
        UserError: If a class has too few rows.

    Example:
        >>> rows = draw_balanced_rows(np.array([0] * 8 + [1] * 4), 3)
        >>> np.bincount((rows >= 8).astype(int)).tolist()
        [3, 3]
    """
    smallest = np.bincount(strata).min()
    if smallest < each:
        raise UserError(f"cannot draw {each} rows of each class: one has only {smallest}. Use a smaller split.")
    return np.flatnonzero(_random_ranks(strata, seed, _VALIDATION_STREAM) < each)


def assign_rows(
    labels: Mapping[str, np.ndarray], validation: int, test: int, seed: int
) -> tuple[dict[str, tuple[str, np.ndarray]], str]:
    """Assign rows to splits: keep the official splits, and carve the missing ones from the training split.

    Args:
        labels: ``int[n]`` classes of the official splits: "train", and optionally "test", or "validation" and "test".
        validation: Number of validation rows to carve if there is no such split.
        test: Number of test rows to draw if there is no such split.
        seed: Seed of the split.

    Returns:
        For each split, its official split of origin and the rows in it; and the fingerprint, empty if nothing was
        carved.

    Example:
        >>> rows, _ = assign_rows({"train": np.array([0, 1] * 5), "test": np.array([0, 1])}, 2, 2, 0)
        >>> {split: (official, len(chosen)) for split, (official, chosen) in sorted(rows.items())}
        {'test': ('test', 2), 'train': ('train', 8), 'validation': ('train', 2)}
    """
    official = {split: (split, np.arange(len(values))) for split, values in labels.items()}
    if "test" not in labels:
        rows = split_rows(labels["train"], validation, test, seed)
        return {split: ("train", chosen) for split, chosen in rows._asdict().items()}, fingerprint(*rows)
    if "validation" not in labels:
        carved, rest = carve_rows(labels["train"], validation, seed)
        return official | {"train": ("train", rest), "validation": ("train", carved)}, fingerprint(rest, carved)
    return official, ""


def draw_rows(strata: np.ndarray, count: int, *, seed: int, stream: int) -> np.ndarray:
    """Draw rows so that each stratum contributes its share, to the nearest whole row.

    Args:
        strata: ``int[n]``, the class of each row, numbered from 0.
        count: Number of rows to draw.
        seed: Seed of the draw.
        stream: Number of the purpose of the draw; different streams are independent.

    Returns:
        ``int64[count]``, sorted.

    Raises:
        UserError: If `count` is not below the number of rows, or the seed is negative.

    Example:
        >>> rows = draw_rows(np.array([0] * 8 + [1] * 4), 3, seed=0, stream=1)
        >>> np.bincount((rows >= 8).astype(int)).tolist()
        [2, 1]
    """
    if not 0 < count < len(strata):
        raise UserError(
            f"cannot draw {count} rows from {len(strata)}. Expected at least 1, and fewer than there are. "
            "Change the sizes of the split."
        )
    if seed < 0:
        raise UserError(f"the seed of a split must be 0 or more, got {seed}.")
    return np.flatnonzero(_random_ranks(strata, seed, stream) < _quotas(np.bincount(strata), count)[strata])


def _random_ranks(strata: np.ndarray, seed: int, stream: int) -> np.ndarray:
    """Return the place of each row in a random order of its stratum, ``int64[n]``."""
    words = np.random.PCG64([seed, stream]).random_raw(len(strata))
    order = np.lexsort((words, strata))  # by stratum, at random within
    sizes = np.bincount(strata)
    ranks = np.empty(len(strata), np.int64)
    ranks[order] = np.arange(len(strata)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return ranks


def fingerprint(*splits: np.ndarray) -> str:
    """Return a hash of a split, to compare splits between machines.

    Args:
        *splits: Row numbers of each split, ``int[...]``.

    Returns:
        SHA-256 over the lengths and the row numbers, in hexadecimal digits.

    Example:
        >>> fingerprint(np.array([0, 1]), np.array([2])) == fingerprint(np.array([0, 2]), np.array([1]))
        False
    """
    numbers = [np.array([len(rows) for rows in splits]), *splits]
    return hashlib.sha256(np.concatenate(numbers).astype("<i8").tobytes()).hexdigest()


def _quotas(sizes: np.ndarray, count: int) -> np.ndarray:
    # Largest remainder method; among equal remainders the lower class number comes first.
    quotas, remainders = np.divmod(sizes * count, sizes.sum())
    left_over = count - quotas.sum()
    quotas[np.argsort(-remainders, kind="stable")[:left_over]] += 1
    return quotas
