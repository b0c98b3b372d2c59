"""Sign flips of paired differences, for many comparisons at once: exact where there are few patterns."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import numpy as np
from scipy import special

PATTERNS = 9999
"""Random patterns where there are too many to try them all."""
_MOST = 500
"""With more pairs the sum with random signs is normal but for what no table shows."""
_BLOCK = 2_000_000
"""Most signs in memory at a time."""


def two_sided(differences: np.ndarray, patterns: int = PATTERNS) -> np.ndarray:
    """Return the two-sided p-value of "the mean difference is zero" for each row of differences.

    If arm and baseline were interchangeable, each difference could as well have the other sign. All sign patterns are
    tried where there are no more than `patterns`, else as many random ones, the same in every call. Source:
    R. A. Fisher, *The Design of Experiments* (1935), section 21.

    Args:
        differences: One row for each comparison, one column for each pair.
        patterns: Largest number of patterns.

    Example:
        >>> two_sided(np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0]])).tolist()
        [0.25, 1.0]
    """
    rows, n = differences.shape
    if n == 0:
        return np.ones(rows)
    found = np.abs(differences.sum(axis=1))
    if n > _MOST:
        return 2 * special.ndtr(-found / np.sqrt((differences**2).sum(axis=1) + 1e-300))
    least = found - 1e-9 * (np.abs(differences).sum(axis=1) + 1e-300)
    exact = n < 60 and 2**n <= patterns
    count = np.zeros(rows)
    total = 0
    for signs in _sign_blocks(n, patterns):
        count += (np.abs(signs @ differences.T) >= least).sum(axis=0)
        total += len(signs)
    return count / total if exact else (count + 1) / (total + 1)


def smallest(n: int) -> float:
    """Return the smallest p-value that n pairs can have.

    Args:
        n: Number of pairs.

    Example:
        >>> smallest(5), smallest(6), smallest(5000)
        (0.0625, 0.03125, 0.0)
    """
    return min(1.0, 2.0 ** (1 - n))


def _sign_blocks(n: int, patterns: int) -> Iterable[np.ndarray]:
    if n * patterns <= _BLOCK:
        return [_signs(n, patterns)]
    return _random_blocks(n, patterns)


@functools.lru_cache(maxsize=16)
def _signs(n: int, patterns: int) -> np.ndarray:
    if n < 60 and 2**n <= patterns:
        return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    return np.concatenate(list(_random_blocks(n, patterns)))


def _random_blocks(n: int, patterns: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    size = max(1, _BLOCK // n)
    for start in range(0, patterns, size):
        yield 1.0 - 2.0 * rng.integers(0, 2, (min(size, patterns - start), n), np.int8)
