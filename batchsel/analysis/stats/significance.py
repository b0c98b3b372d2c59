"""Significance tests: sign flips, and Holm's correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from batchsel.analysis.stats import sign_flips


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
    return float(sign_flips.two_sided(values[None])[0])


def reached_more_often(only_left: int, only_right: int) -> float:
    """Return the two-sided p-value of "both sides reach the target equally often".

    Pairs on which both or neither did say nothing about it. Source: Q. McNemar, *Note on the Sampling Error of the
    Difference between Correlated Proportions or Percentages*, Psychometrika 12 (1947), in its exact form.

    Args:
        only_left: Number of pairs on which only one side reached it.
        only_right: Number of pairs on which only the other did.

    Example:
        >>> reached_more_often(10, 0), reached_more_often(0, 0)
        (0.001953125, 1.0)
    """
    n = only_left + only_right
    return min(1.0, 2 * float(special.bdtr(min(only_left, only_right), n, 0.5)))


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
