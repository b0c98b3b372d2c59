"""Aggregate over data sets: performance profiles and geometric means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Profile(NamedTuple):
    """Share of the workloads on which an arm needs at most tau times the time of the best arm."""

    taus: list[float]
    shares: list[float]

    @property
    def score(self) -> float:
        """Mean share over the taus, in [0, 1]."""
        width = self.taus[-1] - self.taus[0]
        return float(np.trapezoid(self.shares, self.taus)) / width


def profiles(times: Mapping[str, Sequence[float]], limit: float = 4.0, points: int = 301) -> dict[str, Profile]:
    """Return the performance profile of each arm.

    Source: E. D. Dolan and J. J. More, *Benchmarking Optimization Software with Performance Profiles*,
    Mathematical Programming 91 (2002).

    Args:
        times: Times of each arm, one for each workload, in the same order; infinite where the target was missed.
        limit: Largest tau.
        points: Number of taus from 1 to the limit.

    Example:
        >>> found = profiles({"a": [1.0, 2.0], "b": [2.0, 2.0]}, points=4)
        >>> found["a"].shares, found["b"].shares
        ([1.0, 1.0, 1.0, 1.0], [0.5, 1.0, 1.0, 1.0])
    """
    table = np.array(list(times.values()), float)
    best = table.min(axis=0)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isfinite(table), table / best, np.inf)
    taus = np.linspace(1, limit, points)
    shares = (ratios[:, :, None] <= taus * (1 + 1e-12)).mean(axis=1)
    return {name: Profile(taus.tolist(), row.tolist()) for name, row in zip(times, shares, strict=True)}


def geometric_mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean.

    Args:
        ratios: Positive numbers.

    Example:
        >>> geometric_mean([0.5, 2.0])
        1.0
    """
    return float(np.exp(np.mean(np.log(ratios))))


def probability_of_improvement(arm: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the chance that a run of the arm is faster than one of the baseline; ties count half.

    Args:
        arm: Times of the arm's runs.
        baseline: Times of the baseline's runs.

    Example:
        >>> probability_of_improvement([1.0, 2.0], [2.0, 3.0])
        0.875
    """
    left, right = np.asarray(arm, float)[:, None], np.asarray(baseline, float)[None, :]
    return float(((left < right) + 0.5 * (left == right)).mean())
