"""Looks at an experiment that adds seeds until its verdict is clear: the level that each look may use."""

from __future__ import annotations

from collections.abc import Sequence

from batchsel.analysis.stats import alpha_spending
from batchsel.analysis.stats.estimates import CONFIDENCE
from batchsel.experiments.run.run_record import RunRecord

_DECIDED = ("faster", "slower", "only arm reached", "only baseline reached")


def look_sizes(block: int, most: int) -> list[int]:
    """Return the number of seeds at each look.

    Args:
        block: Seeds that are added at a time.
        most: Largest number of seeds.

    Example:
        >>> look_sizes(10, 35)
        [10, 20, 30, 35]
    """
    return [*range(block, most, block), most]


def look_confidence(seeds: int, block: int, most: int) -> float:
    """Return the level of intervals at a look; over all looks, 5 % of experiments claim a difference that is none.

    Args:
        seeds: Number of seeds at the look.
        block: Seeds that are added at a time.
        most: Largest number of seeds.

    Example:
        >>> round(look_confidence(10, 10, 40), 3), look_confidence(40, 40, 40)
        (0.982, 0.95)
    """
    sizes = look_sizes(block, most)
    place = sum(size < seeds for size in sizes)
    found = alpha_spending.levels([size / most for size in sizes], 1 - CONFIDENCE)
    return 1 - found[min(place, len(found) - 1)]


def looked_confidence(records: Sequence[RunRecord]) -> float:
    """Return the level of intervals: higher where the records were looked at before all seeds were run.

    Args:
        records: Records of one data set.
    """
    plans = [record.about.looks for record in records if record.about and record.about.looks]
    if not plans:
        return CONFIDENCE
    seeds = len({record.spec.seed for record in records if record.arm.role in ("arm", "baseline")})
    # Of several plans the strictest counts: who plans again has looked before.
    return max(look_confidence(seeds, plan["block"], max(plan["most"], seeds)) for plan in plans)


def is_decided(verdict: str) -> bool:
    """Return True if a verdict is clear, so that more seeds are not needed.

    Args:
        verdict: A verdict.

    Example:
        >>> is_decided("faster"), is_decided("tie")
        (True, False)
    """
    return verdict in _DECIDED
