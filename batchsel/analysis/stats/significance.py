"""Significance tests: sign flips, and Holm's correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

_RESAMPLES = 9999
_MANY = 100
"""Pairs above which SciPy's general test takes seconds, and a product of matrices replaces it."""
_BLOCK = 2**21
"""Largest number of signs in memory at a time."""


def sign_flip(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of "the mean difference of the pairs is zero".

    If arm and baseline were interchangeable, each difference could as well have the other sign. All sign
    patterns are tried where there are few, else 9,999 random ones; the smallest p of n pairs is 2 / 2^n, so three
    seeds can never be significant. Source: R. A. Fisher, *The Design of Experiments* (1935), section 21.

    Args:
        differences: One number for each pair.

    Returns:
        p in (0, 1]; 1 for fewer than two pairs.

    Example:
        >>> sign_flip([1.0, 1.0, 1.0])
        0.25
    """
    values = np.asarray(differences, float)
    if values.size < 2 or not values.any():
        return 1.0
    if values.size > _MANY:
        return _random_flips(values)
    found = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=_RESAMPLES, rng=np.random.default_rng(0)
    )
    return min(1.0, float(found.pvalue))


def _random_flips(values: np.ndarray) -> float:
    """Return the p-value over random sign patterns, of which a block is in memory at a time."""
    rng, observed = np.random.default_rng(0), abs(values.sum())
    width = -(-values.size // 8)
    as_extreme = 0
    for start in range(0, _RESAMPLES, rows := max(1, _BLOCK // values.size)):
        count = min(rows, _RESAMPLES - start)
        bits = np.frombuffer(rng.bytes(count * width), np.uint8).reshape(count, width)
        positive = np.unpackbits(bits, axis=1, count=values.size).astype(float) @ values
        # The sum with signs is twice that of the positive ones less that of all.
        as_extreme += int((np.abs(2 * positive - values.sum()) >= observed * (1 - 1e-12)).sum())
    return (as_extreme + 1) / (_RESAMPLES + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down procedure.

    Source: S. Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian Journal of
    Statistics 6 (1979).

    Args:
        p_values: One for each comparison.

    Returns:
        Corrected values in the same order.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected.tolist()
