"""Summarize each arm over all data sets: geometric mean, worst case, performance profile."""

from __future__ import annotations

from typing import NamedTuple

from batchsel.analysis.comparison import Analysis
from batchsel.analysis.stats import aggregate
from batchsel.analysis.stats.aggregate import Profile


class Overall(NamedTuple):
    """One arm over all data sets."""

    arm: str
    mean: float | None
    """Geometric mean of its time ratios (samples ratios where there are no times); None if it reached no target."""
    worst: float | None
    """The largest of them."""
    reached: int
    """Data sets on which it could be compared."""
    datasets: int
    profile: Profile


def overall(analysis: Analysis) -> list[Overall]:
    """Summarize every arm, the baseline first, over all data sets.

    Args:
        analysis: All comparisons.

    Returns:
        A row for each; none if nothing but controls was run.
    """
    arms = [item for item in analysis.summaries if item.role in ("baseline", "arm")]
    if not arms:
        return []
    datasets = list(dict.fromkeys(item.dataset for item in arms))
    names = list(dict.fromkeys(item.arm for item in arms))
    # On a data set where the seconds of any arm cannot be compared, samples stand in for all arms.
    untimed = {item.dataset for item in arms if item.median_seconds is None}
    known = {
        (item.arm, item.dataset): item.median_samples
        if item.dataset in untimed or item.median_seconds is None
        else item.median_seconds
        for item in arms
    }
    times = {name: [known.get((name, dataset), float("inf")) for dataset in datasets] for name in names}
    profiles = aggregate.profiles(times)
    rows = []
    for name in names:
        own = [item for item in analysis.comparisons if item.arm.arm == name and not item.bound]
        ratios = [item.decisive.value for item in own if item.decisive is not None]
        mean = aggregate.geometric_mean(ratios) if ratios else None
        rows.append(Overall(name, mean, max(ratios, default=None), len(ratios), len(datasets), profiles[name]))
    return rows
