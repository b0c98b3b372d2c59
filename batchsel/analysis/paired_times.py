"""Times of paired runs as a comparison sees them: known up to the grid of evaluations, or censored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from batchsel.analysis.outcomes import Outcome, position_on
from batchsel.analysis.stats import paired_ratio
from batchsel.analysis.stats.estimates import FEWEST, Estimate, exponential
from batchsel.analysis.stats.paired_ratio import LogTimes

_LEAST = 1e-9


class PairedRuns(NamedTuple):
    """Runs of an arm and of its baseline on the seeds that both have; None for a run that failed."""

    arm: list[Outcome | None]
    baseline: list[Outcome | None]

    @property
    def pairs(self) -> int:
        """Number of seeds."""
        return len(self.arm)

    @property
    def reached(self) -> tuple[int, int]:
        """Number of seeds on which the arm, and on which the baseline reached the target."""
        arm, baseline = (sum(item is not None and item.reached for item in side) for side in self)
        return arm, baseline

    @property
    def failed(self) -> tuple[int, int]:
        """Number of seeds on which the run of the arm, and on which that of the baseline failed."""
        return self.arm.count(None), self.baseline.count(None)


def pair_runs(
    arm: Mapping[int, Outcome], baseline: Mapping[int, Outcome], arm_failed: set[int], baseline_failed: set[int]
) -> PairedRuns:
    """Pair runs by their seeds.

    Args:
        arm: Runs of the arm that ended, by seed.
        baseline: Runs of the baseline that ended.
        arm_failed: Seeds on which the arm's run failed.
        baseline_failed: Seeds on which the baseline's run failed.
    """
    seeds = sorted((set(arm) | arm_failed) & (set(baseline) | baseline_failed))
    return PairedRuns([arm.get(seed) for seed in seeds], [baseline.get(seed) for seed in seeds])


class RatioTest(NamedTuple):
    """Ratio of arm to baseline on one axis, with its test."""

    ratio: Estimate | None
    """The ratio; None where the runs say nothing about it."""
    bound: bool
    """True if the runs only bound the ratio: its value is that bound."""
    p: float
    reached_together: tuple[int, int]
    """Number of seeds on which each side reached the target before the end of the shorter budget."""
    only: tuple[int, int]
    """Number of these on which only the arm, and on which only the baseline did."""
    spread: float | None
    """Standard deviation of the log ratios of pairs that both reached it; None for fewer than three."""


def compare_times(runs: PairedRuns, axis: str, confidence: float) -> RatioTest:
    """Return the ratio of what arm and baseline needed.

    Args:
        runs: The runs, at least one pair.
        axis: "seconds", "samples" or "cost".
        confidence: Level of the interval.
    """
    arm, baseline = log_times(runs.arm, axis, runs.baseline), log_times(runs.baseline, axis, runs.arm)
    failed = [np.array([[item is None for item in side]]) for side in runs]
    found = paired_ratio.compare(arm, baseline, *failed, confidence=confidence)
    center, low, high, p = (float(part[0]) for part in found)
    limit = np.minimum(arm.limit, baseline.limit)
    left, right = ((times.value < limit) & (times.value < times.limit) for times in (arm, baseline))
    both = arm.complete & baseline.complete
    logs = (arm.value - baseline.value)[both]
    bound = math.isinf(center)
    if bound:
        center = high if center < 0 else low
    interval = (None, None) if math.isnan(low) else (low, high)
    # Without an interval a value behind misses would be that of the budget, or of the grid.
    stated = math.isfinite(center) and (not math.isnan(low) or bool(both.all()))
    return RatioTest(
        ratio=exponential(Estimate(center, *interval)) if stated else None,
        bound=bound,
        p=p,
        reached_together=(int(left.sum()), int(right.sum())),
        only=(int((left & ~right).sum()), int((right & ~left).sum())),
        spread=float(logs.std(ddof=1)) if logs.size >= FEWEST else None,
    )


def log_times(runs: Sequence[Outcome | None], axis: str, others: Sequence[Outcome | None]) -> LogTimes:
    """Return the log times of runs, as one row.

    Args:
        runs: Runs of one arm.
        axis: "seconds", "samples" or "cost".
        others: Runs that they are paired with: a run that failed would have been watched as long as another of its
            arm, or of these if all have failed.
    """
    longest = _longest_watch([item for item in runs if item is not None])
    ended = [watched_until(item, axis, longest) for item in runs if item is not None]
    others_ended = [] if ended else [watched_until(item, axis, longest) for item in others if item is not None]
    usual = float(np.median(ended or others_ended or [1.0]))
    limits = iter(ended)
    rows = [(usual, usual, _LEAST, usual) if item is None else _log_time_row(item, axis, next(limits)) for item in runs]
    before, at, first, limit = np.maximum(np.array(rows, float).T, _LEAST)
    value = paired_ratio.within_interval(before, at)
    late = np.array([item is not None and bool(item.position) for item in runs])
    value = np.where(late, np.minimum(value, np.log(limit) + math.log1p(-1e-12)), value)
    return LogTimes(value[None], np.log(first)[None], np.log(limit)[None])


def _longest_watch(arm: Sequence[Outcome]) -> float | None:
    """Return the samples up to which runs of an arm that missed the target were watched; None if none missed it."""
    missed = [item.record.evaluations for item in arm if not item.reached and len(item.record.evaluations) > 1]
    return max((points[-2].samples for points in missed), default=None)


def watched_until(run: Outcome, axis: str, longest: float | None) -> float:
    """Return the time of the last evaluation that could have counted as the first of two at the target.

    Args:
        run: The run.
        axis: "seconds", "samples" or "cost".
        longest: Samples up to which runs of its arm were watched that missed the target, for one that was ended at its
            target could have gone on as long; None if none missed it.
    """
    points = run.record.evaluations
    if not points:
        return position_on(axis, run.record.counts) if axis != "seconds" else run.record.seconds.training
    if not (run.reached and run.record.spec.stop_at_target):
        return position_on(axis, points[-2] if len(points) > 1 else points[-1])
    if longest is None:
        return math.inf
    return position_on(axis, points[-1]) * longest / max(points[-1].samples, 1)


def _log_time_row(run: Outcome, axis: str, limit: float) -> tuple[float, float, float, float]:
    """Return the times between which a run met the target, that of its first evaluation, and its limit."""
    points = run.record.evaluations
    first = position_on(axis, points[0]) if points else _LEAST
    if run.position is None:
        return limit, limit, first, limit
    if run.position == 0:
        return first, first, first, limit
    before, at = (position_on(axis, points[place]) for place in (run.position - 1, run.position))
    return before, at, first, limit
