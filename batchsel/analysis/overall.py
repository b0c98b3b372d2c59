"""An arm over all data sets of a comparison: geometric mean, worst case, performance profile."""

from __future__ import annotations

from typing import NamedTuple

from batchsel.analysis.comparison import Analysis
from batchsel.analysis.stats import aggregate
from batchsel.analysis.stats.aggregate import Profile


class Overall(NamedTuple):
    """One arm over all data sets."""

    arm: str
    mean: float | None
    """Geometric mean of its time ratios (samples ratios where there are no times); None if it reached none."""
    worst: float | None
    """The largest of them."""
    reached: int
    """Data sets on which it could be compared."""
    datasets: int
    profile: Profile


def overall(analysis: Analysis) -> list[Overall]:
    """Every arm, the baseline first, over all data sets.

    Args:
        analysis: All comparisons.
    """
    arms = [item for item in analysis.summaries if item.role in ("baseline", "arm")]
    datasets = list(dict.fromkeys(item.dataset for item in arms))
    names = list(dict.fromkeys(item.arm for item in arms))
    # Of a data set where the seconds of any arm cannot be compared, samples stand for all.
    untimed = {item.dataset for item in arms if item.median_seconds is None}
    known = {
        (item.arm, item.dataset): item.median_samples if item.dataset in untimed else item.median_seconds
        for item in arms
    }
    times = {name: [known.get((name, dataset), float("inf")) for dataset in datasets] for name in names}
    profiles = aggregate.profiles(times)
    found = []
    for name in names:
        mine = [item for item in analysis.comparisons if item.arm.arm == name and item.verdict != "not reached"]
        ratios = [item.decisive.value for item in mine]
        mean = aggregate.geometric_mean(ratios) if ratios else None
        found.append(Overall(name, mean, max(ratios, default=None), len(ratios), len(datasets), profiles[name]))
    return found
