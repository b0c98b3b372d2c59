"""Levels of looks at data that grow: the error that is allowed overall is spent look by look."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import special

_WIDEST, _POINTS = 8.0, 1601


def spent(fraction: float, alpha: float = 0.05) -> float:
    """Return the share of the error that may be spent when a fraction of the data is there.

    The function makes levels of all looks about the same, as S. Pocock's do. Source: K. Lan and D. DeMets, *Discrete
    Sequential Boundaries for Clinical Trials*, Biometrika 70 (1983).

    Args:
        fraction: Data at the look, divided by those at the last one.
        alpha: Error overall.

    Example:
        >>> round(spent(0.5), 4), spent(1.0)
        (0.031, 0.05)
    """
    return alpha * math.log1p((math.e - 1) * min(fraction, 1.0))


def levels(fractions: Sequence[float], alpha: float = 0.05) -> list[float]:
    """Return the two-sided level of each look: with no difference, p is below any of them in a share alpha of cases.

    Each look may depend on the sizes of the looks before it, but not on what they showed. The chance of getting past
    the looks before is integrated on a grid. Source: P. Armitage, C. McPherson and B. Rowe, *Repeated Significance
    Tests on Accumulating Data*, Journal of the Royal Statistical Society A 132 (1969).

    Args:
        fractions: Data at each look, divided by those at the last one; rising, the last one 1 if all looks are taken.
        alpha: Error overall.

    Example:
        >>> [round(level, 3) for level in levels([0.25, 0.5, 0.75, 1.0])], levels([1.0])
        ([0.018, 0.018, 0.018, 0.019], [0.05])
    """
    return list(_levels(tuple(fractions), alpha))


@functools.lru_cache(maxsize=64)
def _levels(fractions: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    if len(fractions) == 1:
        return (alpha,)
    found: list[float] = []
    grid, density, before, used = np.zeros(1), np.ones(1), 0.0, 0.0
    for fraction in fractions:
        more, scale = max(spent(fraction, alpha) - used, 0.0), math.sqrt(fraction - before)
        limit = _limit(grid, density, scale, more)
        points = np.linspace(-limit, limit, _POINTS)
        # The density of the sum at this look, for experiments that went on at all looks before, times the grid's step.
        distances = (points[:, None] - grid[None, :]) / scale
        normal = np.exp(-(distances**2) / 2) / math.sqrt(2 * math.pi)
        density = normal / scale @ density * (points[1] - points[0])
        grid, before, used = points, fraction, used + more
        found.append(float(2 * special.ndtr(-limit / math.sqrt(fraction))))
    return tuple(found)


def _limit(grid: np.ndarray, density: np.ndarray, scale: float, more: float) -> float:
    """Return the limit that this share of the experiments crosses at the next look."""
    from scipy import optimize

    def excess(limit: float) -> float:
        past = special.ndtr((grid - limit) / scale) + special.ndtr((-limit - grid) / scale)
        return float((density * past).sum()) - more

    return optimize.root_scalar(excess, bracket=(1e-6, _WIDEST), method="brentq").root
