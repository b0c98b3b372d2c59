"""Estimates with intervals: shares, means, and ratios of paired runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from batchsel.analysis.stats import mean_interval

CONFIDENCE = 0.95
RESAMPLES = 1999
_LARGEST = 700.0
"""Larger logarithms are those of infinity."""
FEWEST = mean_interval.FEWEST
"""Fewest runs or pairs for which an interval is reported."""
_ALIKE = 1e-9
"""Values closer than this share of the largest differ by rounding."""


class Estimate(NamedTuple):
    """A value and its interval, mostly of 95 %; None where the runs allow none."""

    value: float
    low: float | None = None
    high: float | None = None


def wilson(successes: int, n: int) -> Estimate:
    """Return a share of successes with Wilson's score interval.

    Source: E. B. Wilson, *Probable Inference, the Law of Succession, and Statistical Inference*, JASA 22 (1927).

    Args:
        successes: Number of successes, 0 ... n.
        n: Number of trials.

    Example:
        >>> [round(value, 3) for value in wilson(10, 10)]
        [1.0, 0.722, 1.0]
    """
    if n == 0:
        return Estimate(math.nan)
    share, z = successes / n, float(special.ndtri(0.5 + CONFIDENCE / 2))
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Estimate(share, center - half if successes else 0.0, center + half if successes < n else 1.0)


def mean(values: Sequence[float], lowest: float = -math.inf, highest: float = math.inf) -> Estimate:
    """Return the mean with Student's t interval, none for fewer than three values or values that are all alike.

    Args:
        values: One number for each run.
        lowest: Smallest value that there can be: the interval ends there.
        highest: Largest value that there can be.

    Example:
        >>> mean([1.0]), mean([0.98, 1.0, 1.0], highest=1.0).high
        (Estimate(value=1.0, low=None, high=None), 1.0)
    """
    array = np.asarray(values, float)
    center = float(array.mean()) if array.size else math.nan
    if array.size < FEWEST or not np.isfinite(center) or np.ptp(array) <= _ALIKE * max(1.0, float(np.abs(array).max())):
        return Estimate(center)
    half = float(special.stdtrit(array.size - 1, 0.5 + CONFIDENCE / 2) * array.std(ddof=1) / math.sqrt(array.size))
    return _bounded(center, center - half, center + half, values, lowest, highest)


def share_bounds(metric: str) -> tuple[float, float]:
    """Return the smallest and the largest value of a metric.

    Args:
        metric: Name of the metric.

    Example:
        >>> share_bounds("accuracy"), share_bounds("loss")
        ((0.0, 1.0), (0.0, inf))
    """
    if "accuracy" in metric:
        return 0.0, 1.0
    if "perplexity" in metric:
        return 1.0, math.inf
    return (0.0, math.inf) if "loss" in metric or "mae" in metric else (-math.inf, math.inf)


def over_seeds(values: Sequence[float], lowest: float = -math.inf, highest: float = math.inf) -> Estimate:
    """Return the mean over the seeds of a study, with the interval of `mean_interval.wide` where there is one.

    Args:
        values: One number for each run or pair.
        lowest: Smallest value that there can be: the interval ends there.
        highest: Largest value that there can be.

    Example:
        >>> over_seeds([1.0, 2.0]), over_seeds([97.0, 99.0, 99.5], highest=100.0).high
        (Estimate(value=1.5, low=None, high=None), 100.0)
    """
    center, low, high = _wide(values)
    if low is None or high is None:
        return Estimate(center)
    return _bounded(center, low, high, values, lowest, highest)


def _bounded(
    center: float, low: float, high: float, values: Sequence[float], lowest: float, highest: float
) -> Estimate:
    """Return an estimate whose interval ends at the bounds of what the values can be.

    A value beyond them, such as a loss of the user's that can be negative, shows that there are others.
    """
    return Estimate(center, max(low, min(lowest, *values)), min(high, max(highest, *values)))


def geometric_mean(values: Sequence[float]) -> Estimate:
    """Return the geometric mean over the seeds of a study; its interval, that of the logarithms, is above zero.

    Args:
        values: One positive number for each run, such as seconds.

    Example:
        >>> geometric_mean([1.0, 4.0])
        Estimate(value=2.0, low=None, high=None)
    """
    if min(values, default=0.0) <= 0:  # a clock that stood still
        return over_seeds(values, 0.0)
    return exponential(_wide([math.log(value) for value in values]))


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle half of the runs.

    Source: R. Agarwal et al., *Deep Reinforcement Learning at the Edge of the Statistical Precipice*, NeurIPS 2021.

    Args:
        values: One number for each run, at least one.

    Example:
        >>> interquartile_mean([0.0, 1.0, 3.0, 100.0])
        2.0
    """
    cut = len(values) // 4
    return float(np.sort(values)[cut : len(values) - cut].mean())


def ratio(log_ratios: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Return the geometric mean of paired ratios, with the interval of `mean_interval.wide` where there is one.

    Args:
        log_ratios: log(a / b) for each pair.
        confidence: Level of the interval.

    Example:
        >>> ratio([0.0, 0.0, 0.0])
        Estimate(value=1.0, low=None, high=None)
    """
    return exponential(_wide(log_ratios, confidence))


def exponential(estimate: Estimate) -> Estimate:
    """Return the estimate of a ratio from that of its logarithm.

    Args:
        estimate: Estimate of the logarithm.

    Example:
        >>> exponential(Estimate(0.0, -math.inf, 0.0))
        Estimate(value=1.0, low=0.0, high=1.0)
    """
    value, low, high = (None if part is None else math.inf if part >= _LARGEST else math.exp(part) for part in estimate)
    return Estimate(math.nan if value is None else value, low, high)


def _wide(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    center, low, high = (float(part[0]) for part in mean_interval.wide(np.asarray([values], float), confidence))
    return Estimate(center) if math.isnan(low) else Estimate(center, low, high)


def tail_share(n: int) -> float:
    """Return the share of bootstrap means to leave out at each end for an interval as wide as Student's t.

    Args:
        n: Number of values that are resampled, at least 2.

    Example:
        >>> round(tail_share(10), 4), round(tail_share(1000), 4)
        (0.0086, 0.0248)
    """
    quantile = math.sqrt(n / (n - 1)) * special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2)
    return float(special.ndtr(-quantile))
