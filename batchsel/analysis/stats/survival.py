"""Survival analysis of times to the target: runs that missed it are censored at their budget, never dropped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from batchsel.analysis.stats.estimates import CONFIDENCE


class SurvivalCurve(NamedTuple):
    """Share of runs that have reached the target, as a step function with a pointwise interval.

    The first point is the start, where no run has reached it.
    """

    times: list[float]
    reached: list[float]
    low: list[float]
    high: list[float]


def survival_curve(times: Sequence[float], reached: Sequence[bool]) -> SurvivalCurve:
    """Estimate the share of runs that have reached the target by a time (Kaplan-Meier).

    Source: E. L. Kaplan and P. Meier, *Nonparametric Estimation from Incomplete Observations*, JASA 53 (1958);
    the interval is Greenwood's on the log(-log) scale.

    Args:
        times: Time of each run: when it reached the target, or when it ended.
        reached: True for each run that reached the target.

    Example:
        >>> survival_curve([1.0, 2.0, 3.0], [True, True, False]).reached
        [0.0, 0.333..., 0.666..., 0.666...]
    """
    order = np.argsort(np.asarray(times, float), kind="stable")
    sorted_times, arrived = np.asarray(times, float)[order], np.asarray(reached, bool)[order]
    last = np.flatnonzero(np.diff(sorted_times, append=np.inf) > 0)
    running = len(order) - np.concatenate([[0], last[:-1] + 1]) if last.size else np.zeros(0)
    arrivals = np.diff(np.cumsum(arrived)[last], prepend=0)
    left = np.cumprod((running - arrivals) / running)
    with np.errstate(divide="ignore", invalid="ignore"):  # there is no interval where all or none have reached it
        log_log = np.log(-np.log(left))
        greenwood = np.cumsum(arrivals / (running * (running - arrivals)))
        half = special.ndtri(0.5 + CONFIDENCE / 2) * np.sqrt(greenwood / np.log(left) ** 2)
        low, high = (1 - np.exp(-np.exp(log_log + side * half)) for side in (-1, 1))
    low, high = np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0)
    columns = (sorted_times[last], 1 - left, np.clip(low, 0, 1), np.clip(high, 0, 1))
    return SurvivalCurve(*([0.0, *np.asarray(column, float).tolist()] for column in columns))


def median(times: Sequence[float], reached: Sequence[bool]) -> float:
    """Return the first time by which half of the runs have reached the target (Kaplan-Meier), or infinity.

    Args:
        times: As in `survival_curve`.
        reached: As in `survival_curve`.

    Example:
        >>> median([1.0, 2.0, 9.0], [True, True, False]), median([1.0, 2.0], [False, False])
        (2.0, inf)
    """
    found = survival_curve(times, reached)
    places = np.flatnonzero(np.asarray(found.reached) >= 0.5 - 1e-12)
    return found.times[places[0]] if places.size else math.inf


def restricted_mean(times: Sequence[float], budget: float) -> float:
    """Return the mean time until the target or the budget, whichever comes first.

    With one budget for all runs this is the area above the survival curve, without any estimation.

    Args:
        times: As in `survival_curve`.
        budget: The limit, at most the budget of the runs.

    Example:
        >>> restricted_mean([1.0, 5.0], budget=3.0)
        2.0
    """
    return float(np.minimum(times, budget).mean())
