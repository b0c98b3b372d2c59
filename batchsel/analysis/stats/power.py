"""Power of a comparison: the ratios that a number of seeds can detect, and the seeds that a ratio takes."""

from __future__ import annotations

import math

from scipy import special

POWER = 0.8
"""Chance of finding a difference that is there: four experiments of five."""
_MOST = 100_000


def chance(ratio: float, spread: float, seeds: int, alpha: float = 0.05) -> float:
    """Return the chance that an experiment finds a ratio: that of Student's t, none below the floor of sign flips.

    Args:
        ratio: The true ratio.
        spread: Standard deviation of the log ratio over seeds, positive.
        seeds: Number of seeds.
        alpha: Largest two-sided p-value of a difference.

    Example:
        >>> round(chance(0.8, 0.3, 20), 2), chance(0.5, 0.1, 5)
        (0.88, 0.0)
    """
    if seeds < fewest_seeds(alpha):
        return 0.0
    shift = abs(math.log(ratio)) / spread * math.sqrt(seeds)
    limit = float(special.stdtrit(seeds - 1, 1 - alpha / 2))
    found = 1 - float(special.nctdtr(seeds - 1, shift, limit))
    return 1.0 if math.isnan(found) else found


def fewest_seeds(alpha: float = 0.05) -> int:
    """Return the fewest seeds with which sign flips can reach a p-value, 2 / 2^n.

    Example:
        >>> fewest_seeds(), fewest_seeds(0.05 / 10)
        (6, 9)
    """
    return max(2, math.ceil(math.log2(2 / alpha) - 1e-9))


def seeds_needed(ratio: float, spread: float, alpha: float = 0.05) -> int:
    """Return the number of seeds that find a ratio with a chance of 80 %.

    Args:
        ratio: The true ratio, not 1.
        spread: Standard deviation of the log ratio over seeds.
        alpha: Largest two-sided p-value of a difference.

    Example:
        >>> [seeds_needed(0.8, spread) for spread in (0.1, 0.2, 0.3, 0.5)]
        [6, 9, 17, 42]
    """
    low, high = fewest_seeds(alpha), fewest_seeds(alpha)
    if spread <= 0 or chance(ratio, spread, low, alpha) >= POWER:
        return low
    while high < _MOST and chance(ratio, spread, high, alpha) < POWER:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(ratio, spread, middle, alpha) >= POWER else (middle, high)
    return high


def detectable_shift(seeds: int, alpha: float = 0.05) -> float | None:
    """Return the smallest mean difference that Student's t finds with a chance of 80 %, or None below two seeds.

    Args:
        seeds: Number of paired differences.
        alpha: Largest two-sided p-value of a difference.

    Returns:
        In standard deviations of the differences.

    Example:
        >>> [round(detectable_shift(seeds), 2) for seeds in (3, 5, 10, 20)]
        [3.26, 1.68, 1.0, 0.66]
    """
    if seeds < 2:
        return None
    limit = float(special.stdtrit(seeds - 1, 1 - alpha / 2))
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        power = 1 - float(special.nctdtr(seeds - 1, middle * math.sqrt(seeds), limit))
        low, high = (middle, high) if power < POWER else (low, middle)
    return high


def detectable_ratio(spread: float, seeds: int, alpha: float = 0.05) -> float | None:
    """Return the largest ratio below 1 that a number of seeds finds with a chance of 80 %, or None if there is none.

    Args:
        spread: Standard deviation of the log ratio over seeds.
        seeds: Number of seeds.
        alpha: Largest two-sided p-value of a difference.

    Example:
        >>> round(detectable_ratio(0.3, 20), 2), detectable_ratio(0.3, 5)
        (0.82, None)
    """
    if seeds < fewest_seeds(alpha):
        return None
    low, high = 0.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if chance(math.exp(-middle), max(spread, 1e-6), seeds, alpha) >= POWER else (middle, high)
        )
    return math.exp(-high)
