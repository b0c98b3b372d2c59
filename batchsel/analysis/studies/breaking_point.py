"""Breaking point: the largest batch size that does as well as small batches, with an interval over seeds."""

from __future__ import annotations

import bisect
import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from batchsel.analysis.stats.estimates import RESAMPLES, tail_share

LEAST = 5
"""Fewest seeds for an interval: in simulations the interval of three seeds held the true size about half of the time
where the next size lay near the line."""
_SLACK = 1e-9
"""Means that differ by rounding are equal: a size that lies on the line is within it."""
FinalsByMode = Mapping[str, Mapping[int, Mapping[int, float]]]
"""Final metric by mode, batch size and seed; more is better."""
FailedSizes = Mapping[str, Collection[int]]
"""Batch sizes at which a run failed, by mode."""
_NONE_FAILED: FailedSizes = {}
_Table = tuple[list[int], np.ndarray]
"""Sizes in rising order and their results, ``float64[sizes, seeds]``; a size with a failed run has -inf."""


class SizeOrBound(NamedTuple):
    """A batch size, or a bound on one."""

    batch: int
    bound: str = ""
    """ "at least" where the largest size of all modes is within, "largest run" where the largest of its mode is within
    but other modes have larger ones, "none" where the small sizes of its mode are not within."""

    def __str__(self) -> str:
        if self.bound == "none":
            return "none from its small sizes on"
        size = f"{self.batch:,}"
        return {"at least": f"at least {size}", "largest run": f"{size} (no larger was run)"}.get(self.bound, size)

    @property
    def end(self) -> str:
        """Text of the size as the end of an interval.

        Example:
            >>> SizeOrBound(8, "none").end, SizeOrBound(64).end
            ('none', '64')
        """
        return "none" if self.bound == "none" else str(self)


class BreakingPoint(NamedTuple):
    """Breaking point of a mode."""

    value: SizeOrBound
    low: SizeOrBound | None = None
    high: SizeOrBound | None = None
    """Ends of the 95 % interval; None for fewer than `LEAST` seeds."""

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return str(self.value)
        return f"{self.value} [{self.low.end}, {self.high.end}]"


class SmallBatchThreshold(NamedTuple):
    """Best mean of the small batch sizes."""

    value: float
    """Mean over seeds of the best small size."""
    batch: int
    """Best small size."""
    sizes: tuple[int, ...]
    """All small sizes."""


class BreakingPoints(NamedTuple):
    """Threshold of small batches, and the breaking point of each mode."""

    threshold: SmallBatchThreshold
    modes: dict[str, BreakingPoint]
    seeds: int
    """Number of seeds that all batch sizes and modes have, except for sizes with a failed run."""


def small_sizes(sizes: Sequence[int], small: int) -> tuple[int, ...]:
    """Return the sizes that count as small: those up to a limit, or the smallest where there is none.

    Args:
        sizes: Sizes in rising order.
        small: The limit.

    Example:
        >>> small_sizes([8, 32, 64], 32), small_sizes([64, 128], 32)
        ((8, 32), (64,))
    """
    return tuple(sizes[: max(bisect.bisect_right(list(sizes), small), 1)])


def find_breaking_points(
    results: FinalsByMode, base: str, small: int, within: float, failed: FailedSizes = _NONE_FAILED
) -> BreakingPoints | str:
    """Find the threshold of small batches, and the largest size of each mode that is within it.

    The threshold is the best mean among small sizes in the base mode. A mode is followed from its own best small
    size (of equal ones the largest) upwards, through every size that was measured, as long as the mean lies at
    most `within` below the threshold; the last such size is its breaking point. Sizes below its best small one
    do not count: very small batches are worse for other reasons. A size with a failed run is not within, whatever
    its other runs reached. A mean that misses by chance ends the search, so the point is biased toward small sizes.

    The interval is a bootstrap over seeds, with the same resamples for all sizes and modes, which accounts for a
    threshold that is estimated from the same seeds; its level is widened as Student's t would.

    Source: E. Hoffer, I. Hubara and D. Soudry, *Train longer, generalize better*, NeurIPS 2017 and D. Masters and
    C. Luschi, *Revisiting Small Batch Training for Deep Neural Networks*, 2018, for the question; the rule is ours.

    Args:
        results: Final metric of every mode and size.
        base: Mode that the threshold is taken from.
        small: Largest size that counts as small.
        within: Largest distance of a mean below the threshold.
        failed: Sizes at which a run failed.

    Returns:
        The breaking points, or the reason why there are none.

    Example:
        >>> runs = {16: {0: 90.0, 1: 91.0}, 64: {0: 90.0, 1: 90.5}, 256: {0: 80.0, 1: 81.0}}
        >>> str(find_breaking_points({"plain": runs}, "plain", 32, 1.0).modes["plain"])
        '64'
        >>> str(find_breaking_points({"plain": runs}, "plain", 32, 1.0, {"plain": [64]}).modes["plain"])
        '16'
    """
    every = [
        set(runs) for mode, sizes in results.items() for size, runs in sizes.items() if size not in failed.get(mode, ())
    ]
    seeds = sorted(set.intersection(*every)) if every else []
    if not seeds:
        return "no seed has all batch sizes and modes"
    tables = {mode: _table(results.get(mode, {}), failed.get(mode, ()), seeds) for mode in (*results, *failed)}
    if base not in tables:
        return f"there is no run of {base}"
    sizes, values = tables[base]
    candidates = small_sizes(sizes, small)
    means = values[: len(candidates)].mean(axis=1)
    if not np.isfinite(means.max()):
        return f"a run failed at each small batch size of {base}"
    threshold = SmallBatchThreshold(float(means.max()), sizes[int(means.argmax())], candidates)
    largest = max(table[0][-1] for table in tables.values())
    modes = {mode: _breaking_point(table, tables[base], small, within, largest) for mode, table in tables.items()}
    return BreakingPoints(threshold, modes, len(seeds))


def _table(results: Mapping[int, Mapping[int, float]], failed: Collection[int], seeds: Sequence[int]) -> _Table:
    sizes = sorted({*results, *failed})
    rows = [[-math.inf if size in failed else results[size][seed] for seed in seeds] for size in sizes]
    return sizes, np.array(rows)


def _breaking_point(own: _Table, base: _Table, small: int, within: float, largest: int) -> BreakingPoint:
    seeds = own[1].shape[1]
    sizes, whole = own[0], np.full((1, seeds), 1 / seeds)
    value = _size_or_bound(sizes, int(_positions(own, base, small, within, whole)[0]), largest)
    # Seeds that all agree would claim certainty, as any two would.
    rows = [row for row in (*own[1], *base[1]) if np.isfinite(row[0])]
    if seeds < LEAST or max(np.ptp(row) for row in rows) < _SLACK:
        return BreakingPoint(value)
    positions, share = np.sort(_positions(own, base, small, within, _resample_weights(seeds))), tail_share(seeds)
    # Outwards to whole ranks: an interval of sizes ends at sizes.
    low, high = math.floor(share * (len(positions) - 1)), math.ceil((1 - share) * (len(positions) - 1))
    return BreakingPoint(
        value, _size_or_bound(sizes, int(positions[low]), largest), _size_or_bound(sizes, int(positions[high]), largest)
    )


def _resample_weights(seeds: int) -> np.ndarray:
    """Return the weights of the seeds in each resample, ``float64[resamples, seeds]``."""
    picked = np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))
    return (picked[:, :, None] == np.arange(seeds)).mean(axis=1)


def _positions(own: _Table, base: _Table, small: int, within: float, weights: np.ndarray) -> np.ndarray:
    """Return the position of the breaking point among a mode's sizes in each resample; -1 where there is none."""
    level = _means(base, weights)[:, : len(small_sizes(base[0], small))].max(axis=1) - within
    means, count = _means(own, weights), len(small_sizes(own[0], small))
    held = means >= level[:, None] - _SLACK
    start = count - 1 - means[:, count - 1 :: -1].argmax(axis=1)
    # Sizes below the start do not decide: they count as held, so that one running product finds the end.
    before = np.arange(means.shape[1]) < start[:, None]
    reach = np.logical_and.accumulate(held | before, axis=1).sum(axis=1) - 1
    return np.where(reach < start, -1, reach)


def _means(table: _Table, weights: np.ndarray) -> np.ndarray:
    """Return the means of all sizes in each resample, ``float64[resamples, sizes]``, rounded so that ties are exact."""
    known = np.isfinite(table[1])
    return np.where(known.all(axis=1), np.round(weights @ np.where(known, table[1], 0).T, 9), -math.inf)


def _size_or_bound(sizes: Sequence[int], position: int, largest: int) -> SizeOrBound:
    if position < 0:
        return SizeOrBound(sizes[0], "none")
    if position < len(sizes) - 1:
        return SizeOrBound(sizes[position])
    return SizeOrBound(sizes[position], "at least" if sizes[position] == largest else "largest run")
