"""Ratio of paired times of which some are censored: estimate, interval and test, for many comparisons at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from batchsel.analysis.stats import mean_interval, sign_flips

_FARTHEST = 12.0
"""Log ratios beyond this are infinite."""
_STEPS = 16
"""Bisections of an end of an interval."""
_OFFSETS = 0.05 * 1.4 ** np.arange(18)
"""Distances from the estimate, as log ratios, at which the end of an interval is sought first."""
_CAP = 1.5
"""Largest difference of a pair of which one run missed, in standard deviations of the others."""
_COMPLETE = 4
"""Fewest complete pairs for an estimate of that standard deviation."""
_PATTERNS = 1999
"""Sign patterns for the ends of intervals at the usual level."""


class LogTimes(NamedTuple):
    """Logarithms of the times of runs: one row for each comparison, one column for each pair."""

    value: np.ndarray
    """Time to the target: `first` if it was met at the first evaluation, `limit` if it was missed."""
    first: np.ndarray
    """Time of the first evaluation: what came before it is unknown."""
    limit: np.ndarray
    """Time up to which the run would have been watched; infinite if that is not known."""

    @property
    def complete(self) -> np.ndarray:
        """Times that are known: neither at the first evaluation nor missed."""
        return (self.value > self.first) & (self.value < self.limit)


class PairedRatio(NamedTuple):
    """Log ratios of arm to baseline, one for each comparison."""

    center: np.ndarray
    """Estimate; infinite where there is only a bound, NaN where there is nothing to compare."""
    low: np.ndarray
    high: np.ndarray
    """Ends of the interval; infinite where the runs set none, NaN where they allow no interval."""
    p: np.ndarray
    """Two-sided p-value of "the ratio is one"."""


class _Pairs(NamedTuple):
    arm: LogTimes
    baseline: LogTimes
    cap: np.ndarray


def within_interval(before: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the mean logarithm of all times between two evaluations.

    The target was met at some time between the last evaluation below it and the first one at it.

    Args:
        before: Times of the first of the two, positive.
        at: Times of the second, no smaller.

    Example:
        >>> np.exp(within_interval(np.array([1.0, 3.0]), np.array([2.0, 3.0]))).round(3).tolist()
        [1.472, 3.0]
    """
    width = at - before
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (at * np.log(at) - before * np.log(before)) / width - 1
    return np.where(width > 1e-6 * at, mean, np.log(at))


def compare(
    arm: LogTimes,
    baseline: LogTimes,
    arm_failed: np.ndarray | None = None,
    baseline_failed: np.ndarray | None = None,
    confidence: float = 0.95,
) -> PairedRatio:
    """Estimate the ratios of paired times.

    Where all times are known this is the geometric mean ratio with the interval of `mean_interval.wide`. Otherwise a
    ratio is judged as follows. If the arm needs r times as long, then the arm's time and r times the baseline's could
    be exchanged within a pair, provided that both are watched equally long. So both are cut at the shorter of their
    limits (and at the later of their first evaluations), and sign flips test if the mean difference of their
    logarithms is zero; pairs that both reach neither count for nor against. The interval holds all ratios that the
    test does not reject, and the estimate is the ratio at which the mean difference is zero. This needs no assumption
    on how times are distributed. In a pair of which one run missed, the difference is at most as large as differences
    of complete pairs typically are, so that the length of the budget does not decide.

    When a run failed, no time is known up to which it was watched. It counts as a miss where that makes a claim
    harder, and not at all where it would make one easier: the upper end takes failures of the arm as misses and leaves
    out pairs in which the baseline failed; the lower end does the reverse.

    Args:
        arm: Times of the arm.
        baseline: Times of the baseline, in the same order.
        arm_failed: True where the arm's run failed; its value is then its limit. None if none failed.
        baseline_failed: The same for the baseline.
        confidence: Level of the intervals.
    """
    none = np.zeros(arm.value.shape, bool)
    arm_failed = none if arm_failed is None else arm_failed
    baseline_failed = none if baseline_failed is None else baseline_failed
    known = np.all(arm.complete & baseline.complete & ~arm_failed & ~baseline_failed, axis=1)
    found = PairedRatio(*(np.full(known.shape, np.nan) for _ in range(4)))
    if known.any():
        _fill(found, known, _complete(arm.value[known] - baseline.value[known], confidence))
    rest = ~known
    if rest.any():
        left, right = (LogTimes(*(part[rest] for part in times)) for times in (arm, baseline))
        failed = arm_failed[rest], baseline_failed[rest]
        _fill(found, rest, _censored(left, right, *failed, confidence))
    return found


def _fill(found: PairedRatio, rows: np.ndarray, part: PairedRatio) -> None:
    for target, values in zip(found, part, strict=True):
        target[rows] = values


def _complete(differences: np.ndarray, confidence: float) -> PairedRatio:
    center, low, high = mean_interval.wide(differences, confidence)
    return PairedRatio(center, low, high, sign_flips.two_sided(differences))


def _censored(
    arm: LogTimes, baseline: LogTimes, arm_failed: np.ndarray, baseline_failed: np.ndarray, confidence: float
) -> PairedRatio:
    cap = _cap(arm, baseline)
    both = _Pairs(arm, baseline, cap)
    upper = _Pairs(arm, _without(baseline, baseline_failed), cap)
    lower = _Pairs(_without(arm, arm_failed), baseline, cap)
    rows = len(cap)
    inside, outside = np.full(rows, -_FARTHEST), np.full(rows, _FARTHEST)
    for _ in range(2 * _STEPS):
        middle = (inside + outside) / 2
        positive = (_differences(both, middle) + _unwatched(both, middle)).mean(axis=1) > 0
        inside, outside = np.where(positive, middle, inside), np.where(positive, outside, middle)
    center = (inside + outside) / 2
    low, high = (_end(pairs, center, sign, confidence) for pairs, sign in ((lower, -1.0), (upper, 1.0)))
    at_one = np.zeros(rows)
    p = np.ones(rows)
    for pairs, sign in ((upper, -1.0), (lower, 1.0)):
        differences = _differences(pairs, at_one)
        toward = differences.mean(axis=1) * sign > 0
        p = np.minimum(p, np.where(toward, sign_flips.two_sided(differences), 1.0))
    unbounded = np.abs(center) > _FARTHEST - 1e-3
    center = np.where(unbounded, np.sign(center) * np.inf, center)
    empty = np.isinf(low) & np.isinf(high)
    nothing = empty & unbounded
    return PairedRatio(
        np.where(nothing, np.nan, center), np.where(empty, np.nan, low), np.where(empty, np.nan, high), p
    )


def _end(pairs: _Pairs, center: np.ndarray, sign: float, confidence: float) -> np.ndarray:
    """Return an end of the intervals: the ratio nearest to the center that is rejected on this side."""

    def rejected(at: np.ndarray) -> np.ndarray:
        differences = _differences(pairs, at)
        p = sign_flips.two_sided(differences, _PATTERNS if confidence <= 0.99 else sign_flips.PATTERNS)
        return (p <= 1 - confidence + 1e-9) & (differences.mean(axis=1) * sign < 0)

    # Far away the two were not watched at the same time, and nothing can be rejected: so search from the center.
    inside, outside, found = center.copy(), center.copy(), np.zeros(len(center), bool)
    for offset in _OFFSETS:
        at = np.clip(center + sign * offset, -2 * _FARTHEST, 2 * _FARTHEST)
        now = ~found & rejected(at)
        outside = np.where(now, at, outside)
        inside = np.where(found | now, inside, at)
        found |= now
        if found.all():
            break
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        out = rejected(middle)
        inside, outside = np.where(out, inside, middle), np.where(out, middle, outside)
    return np.where(found, (inside + outside) / 2, sign * np.inf)


def _differences(pairs: _Pairs, log_ratio: np.ndarray) -> np.ndarray:
    """Return differences that are symmetric about zero if the ratio is this one; 0 where a pair says nothing of it."""
    arm, baseline, shift = pairs.arm, pairs.baseline, log_ratio[:, None]
    first = np.maximum(arm.first, baseline.first + shift)
    limit = np.minimum(arm.limit, baseline.limit + shift)
    left = np.minimum(np.maximum(arm.value, first), limit)
    right = np.minimum(np.maximum(baseline.value + shift, first), limit)
    late = left >= limit, right >= limit
    known = (first < limit) & ~(late[0] & late[1]) & ~((left <= first) & (right <= first))
    found = np.where(known, left, 0.0) - np.where(known, right, 0.0)
    cap = pairs.cap[:, None]
    return np.where(late[0] != late[1], np.clip(found, -cap, cap), found)


def _unwatched(pairs: _Pairs, log_ratio: np.ndarray) -> np.ndarray:
    """Return a slight difference for pairs that were not watched at the same time, toward ratios at which they were."""
    arm, baseline, shift = pairs.arm, pairs.baseline, log_ratio[:, None]
    early, late = baseline.limit + shift <= arm.first, arm.limit <= baseline.first + shift
    return 1e-6 * (early * 1.0 - late * 1.0)


def _cap(arm: LogTimes, baseline: LogTimes) -> np.ndarray:
    """Return the cap of each comparison; practically none where few pairs are complete, or those are all alike."""
    complete = arm.complete & baseline.complete
    differences = np.ma.array(arm.value - baseline.value, mask=~complete)
    middle = np.ma.median(differences, axis=1).filled(0.0)
    spread = 1.4826 * np.ma.median(np.abs(differences - middle[:, None]), axis=1).filled(0.0)
    usable = (complete.sum(axis=1) >= _COMPLETE) & (spread > 1e-9)
    return np.where(usable, _CAP * spread, 1e6)


def _without(times: LogTimes, left_out: np.ndarray) -> LogTimes:
    """Return times with pairs that inform about nothing: their first evaluation never comes."""
    return times._replace(first=np.where(left_out, np.inf, times.first))
