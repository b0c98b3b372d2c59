"""Ratio of the budgets at which two arms end with the same metric, from runs of each arm with several budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize

from batchsel.analysis.stats import estimates, significance
from batchsel.analysis.stats.estimates import Estimate

_STEP = 1e-9
"""Rise between values that are alike, as a share of all, so that a curve can be inverted."""


class EndOfRun(NamedTuple):
    """Budget that a run used up, and its metric at the end."""

    budget: float
    """Samples or seconds, above 0."""
    final: float
    """Final metric, the larger the better."""


Runs = Mapping[str, Mapping[int, EndOfRun]]
"""Ends of runs by budget, as it was stated, and by seed."""


class BudgetRatio(NamedTuple):
    """Budget of an arm over that of its baseline at equal final metrics.

    Example:
        >>> BudgetRatio(Estimate(0.7, 0.6, 0.8), (0.90, 0.92), 10, 0.002).ratio.value
        0.7
    """

    ratio: Estimate
    """The ratio, or a limit of it without an interval if `bound` is not 0; NaN if there is none."""
    span: tuple[float, float]
    """Final metrics over which it is averaged: those that both arms' means pass through."""
    n: int
    """Seeds that have all runs."""
    p: float
    """Sign-flip p-value of a ratio of 1."""
    bound: int = 0
    """-1 if the ratio is at most the value, because the arm was better with every budget than the baseline with any; 1
    if it is at least that; else 0."""


def budget_ratio(base: Runs, arm: Runs) -> BudgetRatio | None:
    """Estimate at what ratio of budgets two arms end equally well.

    For each arm the means over seeds of the final metrics, made monotone, are joined by lines over the logarithm of the
    budget. The estimate is the mean horizontal distance of the two lines over all metrics that both reach. Its interval
    is that of the mean of the jackknife's pseudo-values over seeds, which are paired: a seed counts if it has all runs.
    Source: for pseudo-values J. W. Tukey, *Bias and Confidence in Not-quite Large Samples*, 1958; monotone means are
    those of R. E. Barlow et al., *Statistical Inference under Order Restrictions*, 1972.

    Args:
        base: Runs of the baseline, with two budgets or more.
        arm: Runs of the arm, with two budgets or more.

    Returns:
        The ratio; None if no seed has all runs.

    Example:
        >>> def runs(shift):
        ...     finals = {budget: 0.9 + 0.01 * np.log(budget / shift) for budget in (1, 2, 4)}
        ...     return {str(budget): dict.fromkeys(range(3), EndOfRun(budget, finals[budget])) for budget in finals}
        >>> found = budget_ratio(runs(1.0), runs(0.5))
        >>> round(found.ratio.value, 6), found.bound
        (0.5, 0)
    """
    seeds = sorted(set.intersection(*(set(runs) for runs in (*base.values(), *arm.values()))))
    if not seeds:
        return None
    tables = (_table(base, seeds), _table(arm, seeds))
    curves = (_curve(tables[0]), _curve(tables[1]))
    whole = _distance(*curves)
    if whole is None:
        return _limit(*curves, len(seeds))
    distance, span = whole
    pseudo = _pseudo_values(tables, distance)
    if pseudo is None:
        return BudgetRatio(estimates.exponential(Estimate(distance)), span, len(seeds), 1.0)
    return BudgetRatio(estimates.ratio(pseudo), span, len(seeds), significance.sign_flip(pseudo))


def _table(runs: Runs, seeds: Sequence[int]) -> np.ndarray:
    """Return ``[budgets, seeds, 2]`` logarithms of budgets, and finals."""
    return np.array(
        [[(np.log(by_seed[seed].budget), by_seed[seed].final) for seed in seeds] for by_seed in runs.values()]
    )


def _curve(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean logarithm of each budget, ascending, and the monotone means of finals, strictly ascending."""
    budgets, finals = table.mean(axis=1).T
    order = np.argsort(budgets)
    rising = optimize.isotonic_regression(finals[order]).x
    size = max(float(np.abs(rising).max()), 1e-30)
    return budgets[order], rising + np.arange(len(rising)) * _STEP * size


def _distance(
    base: tuple[np.ndarray, np.ndarray], arm: tuple[np.ndarray, np.ndarray]
) -> tuple[float, tuple[float, float]] | None:
    """Return the mean horizontal distance of two curves, arm less base, and the finals that both pass through."""
    low, high = max(base[1][0], arm[1][0]), min(base[1][-1], arm[1][-1])
    if low >= high:
        return None
    between = [finals[(finals > low) & (finals < high)] for _, finals in (base, arm)]
    levels = np.unique(np.concatenate([[low, high], *between]))  # lines bend at these, so that trapezoids are exact
    gaps = np.interp(levels, arm[1], arm[0]) - np.interp(levels, base[1], base[0])
    return float(np.trapezoid(gaps, levels) / (high - low)), (float(low), float(high))


def _limit(base: tuple[np.ndarray, np.ndarray], arm: tuple[np.ndarray, np.ndarray], n: int) -> BudgetRatio:
    """Return the limit of a ratio of arms that have no final metric in common."""
    better = arm[1][0] >= base[1][-1]
    gap = arm[0][0] - base[0][-1] if better else arm[0][-1] - base[0][0]
    return BudgetRatio(estimates.exponential(Estimate(float(gap))), (np.nan, np.nan), n, 1.0, -1 if better else 1)


def _pseudo_values(tables: tuple[np.ndarray, np.ndarray], whole: float) -> list[float] | None:
    """Return the jackknife's pseudo-values of the distance, one for each seed; None if one cannot be left out."""
    n = tables[0].shape[1]
    if n < estimates.FEWEST:
        return None
    found = []
    for seed in range(n):
        base, arm = (_curve(np.delete(table, seed, axis=1)) for table in tables)
        rest = _distance(base, arm)
        if rest is None:
            return None
        found.append(n * whole - (n - 1) * rest[0])
    return found
