"""Estimates with intervals: shares, means, and ratios of paired runs."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 1999
FEWEST = 3
"""Fewest runs or pairs for which studies report an interval."""
_BLOCK = 2**20
"""Largest number of resampled values in memory at a time."""
_ALIKE = 1e-9
"""Values closer than this share of the largest differ by rounding."""
_FEW = 8
"""Fewest pairs for the bootstrap: with fewer it has too few distinct resamples, and Student's t replaces it."""


class Estimate(NamedTuple):
    """A value and its 95 % interval; None where one run or none allows no interval."""

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
    interval = stats.binomtest(successes, n).proportion_ci(CONFIDENCE, "wilson")
    return Estimate(successes / n, float(interval.low), float(interval.high))


def mean(values: Sequence[float]) -> Estimate:
    """Return the mean with Student's t interval.

    Args:
        values: One number for each run.

    Example:
        >>> mean([1.0])
        Estimate(value=1.0, low=None, high=None)
    """
    array = np.asarray(values, float)
    if array.size < 2:
        return Estimate(float(array.mean()) if array.size else math.nan)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, array.size - 1) * stats.sem(array))
    center = float(array.mean())
    return Estimate(center, center - half, center + half)


def supported(estimate: Estimate, values: Sequence[float]) -> Estimate:
    """Drop the interval of an estimate where values do not support one: fewer than three, or all alike.

    Two values that happen to agree, or a grid that makes them equal, would claim certainty.

    Args:
        estimate: Estimate from the values.
        values: One number for each run or pair.

    Example:
        >>> [supported(mean(values), values).low is None for values in ([1.0, 2.0], [1.0, 1.0, 1.0], [1.0, 2.0, 3.0])]
        [True, True, False]
    """
    if len(values) < FEWEST or np.ptp(values) <= _ALIKE * max(1.0, float(np.max(np.abs(values)))):
        return Estimate(estimate.value)
    return estimate


def over_seeds(values: Sequence[float]) -> Estimate:
    """Return the mean over the seeds of a study, with its interval where they support one.

    Args:
        values: One number for each run or pair.

    Example:
        >>> over_seeds([1.0, 2.0])
        Estimate(value=1.5, low=None, high=None)
    """
    return supported(mean(values), values)


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle half of the runs.

    Source: R. Agarwal et al., *Deep Reinforcement Learning at the Edge of the Statistical Precipice*, NeurIPS 2021.

    Args:
        values: One number for each run, at least one.

    Example:
        >>> interquartile_mean([0.0, 1.0, 3.0, 100.0])
        2.0
    """
    return float(stats.trim_mean(values, 0.25))


def ratio(log_ratios: Sequence[float]) -> Estimate:
    """Return the geometric mean of paired ratios, with an interval.

    From eight pairs on, the interval is the bias-corrected and accelerated bootstrap of the mean log ratio; its
    level is widened as Student's t would, because the bootstrap of few values is too narrow (T. Hesterberg,
    *What Teachers Should Know About the Bootstrap*, The American Statistician 69, 2015). With fewer pairs it is
    Student's t interval itself. Source: B. Efron, *Better Bootstrap Confidence Intervals*, JASA 82 (1987).

    Args:
        log_ratios: log(a / b) for each pair.

    Example:
        >>> ratio([0.0, 0.0, 0.0])
        Estimate(value=1.0, low=1.0, high=1.0)
    """
    values = np.asarray(log_ratios, float)
    if values.size < _FEW or np.ptp(values) < 1e-12:
        center, low, high = mean(values.tolist())
    else:
        center, (low, high) = float(values.mean()), _bca(values.tobytes())
    return Estimate(math.exp(center), None if low is None else math.exp(low), None if high is None else math.exp(high))


def tail_share(n: int) -> float:
    """Return the share of bootstrap means to leave out at each end for an interval as wide as Student's t.

    Args:
        n: Number of values that are resampled, at least 2.

    Example:
        >>> round(tail_share(10), 4), round(tail_share(1000), 4)
        (0.0086, 0.0248)
    """
    quantile = math.sqrt(n / (n - 1)) * stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1)
    return float(stats.norm.sf(quantile))


@functools.lru_cache(maxsize=64)
def _bca(packed: bytes) -> tuple[float, float]:
    """Return the interval of float64 values; those of samples and of cost, or of two targets, are often the same."""
    values = np.frombuffer(packed, float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (values,),
            np.mean,
            confidence_level=1 - 2 * tail_share(values.size),
            n_resamples=RESAMPLES,
            batch=max(1, _BLOCK // values.size),  # the same resamples, some at a time
            method="BCa",
            rng=np.random.default_rng(0),
        ).confidence_interval
    return float(found.low), float(found.high)
