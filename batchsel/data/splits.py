"""Which rows go to which part: stratified, chosen by a seed, and the same on every machine for ever.

The draw orders rows by the raw 64-bit words of NumPy's PCG64. NumPy promises never to change these words,
which it does not promise for `Generator.permutation` and the like, and scikit-learn does not for
`train_test_split`. Shares are counted in whole numbers, so no rounding of floats decides where a row goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from batchsel.errors import UserError

_TEST_STREAM = 1
_VALIDATION_STREAM = 2


class Rows(NamedTuple):
    """Row numbers of each part, each sorted.

    Args:
        train: ``int64[train]``.
        validation: ``int64[validation]``.
        test: ``int64[test]``.

    Example:
        >>> Rows(np.array([0, 2]), np.array([1]), np.array([3])).train.tolist()
        [0, 2]
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(strata: np.ndarray, validation: int, test: int, seed: int = 0) -> Rows:
    """Divides rows into training, validation and test part.

    The test part is the same for every seed, as an official one would be: what was tuned on under one seed
    must never be reported on under another. The seed chooses the validation part among the rest.

    Args:
        strata: ``int[n]``, the class of each row; its shares are kept in every part. All zeros for none.
        validation: Rows for the validation part.
        test: Rows for the test part.
        seed: Seed of the split.

    Returns:
        The rows of each part; together they are all n rows, once each.

    Raises:
        UserError: If no row would be left to train on.

    Example:
        >>> rows = split_rows(np.array([0, 1] * 10), validation=4, test=6, seed=0)
        >>> [len(part) for part in rows]
        [10, 4, 6]
    """
    held_out = draw_rows(strata, test, seed=0, stream=_TEST_STREAM)
    rest = np.setdiff1d(np.arange(len(strata)), held_out)
    chosen, kept = carve_rows(strata[rest], validation, seed)
    return Rows(rest[kept], rest[chosen], held_out)


def carve_rows(strata: np.ndarray, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Carves a validation part from training data.

    Args:
        strata: ``int[n]``, the class of each row.
        count: Rows to carve.
        seed: Seed of the split.

    Returns:
        ``int64[count]``, the rows carved, and ``int64[n - count]``, the rows that stay; both sorted.

    Raises:
        UserError: If no row would be left.

    Example:
        >>> carved, kept = carve_rows(np.array([0, 0, 0, 1, 1, 1]), 2)
        >>> len(carved), len(kept)
        (2, 4)
    """
    chosen = draw_rows(strata, count, seed=seed, stream=_VALIDATION_STREAM)
    return chosen, np.setdiff1d(np.arange(len(strata)), chosen)


def rows_of_parts(
    labels: Mapping[str, np.ndarray], validation: int, test: int, seed: int
) -> tuple[dict[str, tuple[str, np.ndarray]], str]:
    """Where the samples of each part come from, if there are official ones for some: what is missing is carved.

    Args:
        labels: ``int[n]`` classes of the official parts, "train" among them, "validation" only beside "test".
        validation: Rows to carve for validation if there is no such part.
        test: Rows to draw for the test if there is no such part.
        seed: Seed of the split.

    Returns:
        For each part the official one and the rows in it, and the fingerprint, empty where nothing was carved.

    Example:
        >>> rows, _ = rows_of_parts({"train": np.array([0, 1] * 5), "test": np.array([0, 1])}, 2, 2, 0)
        >>> {part: (official, len(chosen)) for part, (official, chosen) in sorted(rows.items())}
        {'test': ('test', 2), 'train': ('train', 8), 'validation': ('train', 2)}
    """
    whole = {part: (part, np.arange(len(values))) for part, values in labels.items()}
    if "test" not in labels:
        rows = split_rows(labels["train"], validation, test, seed)
        return {part: ("train", chosen) for part, chosen in rows._asdict().items()}, fingerprint(*rows)
    if "validation" not in labels:
        carved, rest = carve_rows(labels["train"], validation, seed)
        return whole | {"train": ("train", rest), "validation": ("train", carved)}, fingerprint(rest, carved)
    return whole, ""


def draw_rows(strata: np.ndarray, count: int, *, seed: int, stream: int) -> np.ndarray:
    """Draws rows so that each stratum gives its share, to the nearest whole row.

    Args:
        strata: ``int[n]``, the class of each row, numbered from 0.
        count: Rows to draw.
        seed: Seed of the draw.
        stream: What the draw is for; different numbers give independent draws.

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
            f"cannot draw {count} rows from {len(strata)}: expected at least 1, and some left over. "
            "Change the sizes of the split."
        )
    if seed < 0:
        raise UserError(f"the seed of a split must be 0 or more, got {seed}.")
    words = np.random.PCG64([seed, stream]).random_raw(len(strata))
    order = np.lexsort((words, strata))  # by stratum, at random within
    sizes = np.bincount(strata)
    rank = np.empty(len(strata), np.int64)
    rank[order] = np.arange(len(strata)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.flatnonzero(rank < _quotas(sizes, count)[strata])


def fingerprint(*parts: np.ndarray) -> str:
    """A short proof that two machines split alike.

    Args:
        *parts: Row numbers of each part, ``int[...]``.

    Returns:
        SHA-256 over the lengths and the row numbers, in hexadecimal digits.

    Example:
        >>> fingerprint(np.array([0, 1]), np.array([2])) == fingerprint(np.array([0, 2]), np.array([1]))
        False
    """
    numbers = [np.array([len(part) for part in parts]), *parts]
    return hashlib.sha256(np.concatenate(numbers).astype("<i8").tobytes()).hexdigest()


def _quotas(sizes: np.ndarray, count: int) -> np.ndarray:
    # Largest remainder; of equal remainders the lower class number comes first.
    quotas, remainders = np.divmod(sizes * count, sizes.sum())
    left_over = count - quotas.sum()
    quotas[np.argsort(-remainders, kind="stable")[:left_over]] += 1
    return quotas
