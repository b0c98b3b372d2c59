"""The breaking point: the largest batch size that still does as well as small batches, with an interval over seeds."""

from __future__ import annotations

import bisect
import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from batchsel.analysis.stats.estimates import RESAMPLES, tail

LEAST = 5
"""Of fewer seeds there is no interval: in simulations that of three held the true size about half of the time where the
next size lay near the line."""
_SLACK = 1e-9
"""Means that differ by rounding are equal: a size that lies on the line is within it."""
Results = Mapping[str, Mapping[int, Mapping[int, float]]]
"""The final metric by mode, batch size and seed; more is better."""
Lost = Mapping[str, Collection[int]]
"""By mode the batch sizes of which a run failed."""
_NONE_LOST: Lost = {}
_Table = tuple[list[int], np.ndarray]
"""Sizes in rising order and their results, ``float64[sizes, seeds]``; a size that is lost has -inf."""


class Size(NamedTuple):
    """A batch size, or a bound of one."""

    batch: int
    bound: str = ""
    """ "at least" where the largest size of all holds, "largest run" where the largest of its mode holds but others
    have larger ones, "none" where the small sizes of its mode do not hold."""

    def __str__(self) -> str:
        if self.bound == "none":
            return "none from its small sizes on"
        told = f"{self.batch:,}"
        return {"at least": f"at least {told}", "largest run": f"{told} (no larger was run)"}.get(self.bound, told)

    @property
    def end(self) -> str:
        """As the end of an interval.

        Example:
            >>> Size(8, "none").end, Size(64).end
            ('none', '64')
        """
        return "none" if self.bound == "none" else str(self)


class BreakingPoints(NamedTuple):
    """The breaking point of a mode."""

    value: Size
    low: Size | None = None
    high: Size | None = None
    """Ends of the 95 % interval; None for less than `LEAST` seeds."""

    def __str__(self) -> str:
        if self.low is None:
            return str(self.value)
        return f"{self.value} [{self.low.end}, {self.high.end}]"


class Threshold(NamedTuple):
    """What small batches reach."""

    value: float
    """The mean over seeds of the best of them."""
    batch: int
    """Which one it is."""
    sizes: tuple[int, ...]
    """Among which it was looked for."""


class BreakingPoint(NamedTuple):
    """Threshold and breaking points."""

    threshold: Threshold
    modes: dict[str, BreakingPoints]
    seeds: int
    """That all batch sizes and modes have, but for sizes of which a run failed."""


def small_sizes(sizes: Sequence[int], small: int) -> tuple[int, ...]:
    """The sizes that count as small: those up to a limit, or the smallest where there is none.

    Args:
        sizes: In rising order.
        small: The limit.

    Example:
        >>> small_sizes([8, 32, 64], 32), small_sizes([64, 128], 32)
        ((8, 32), (64,))
    """
    return tuple(sizes[: max(bisect.bisect_right(list(sizes), small), 1)])


def breaking_points(
    results: Results, base: str, small: int, within: float, lost: Lost = _NONE_LOST
) -> BreakingPoint | str:
    """The threshold of small batches, and how far each mode holds it.

    The threshold is the best mean among small sizes in the base mode. A mode is followed from its own best small
    size (of equal ones the largest) upwards, through every size that was measured, as long as the mean lies at
    most `within` below the threshold; the last such size is its breaking point. Sizes below its best small one
    are not asked about: very small batches are worse for other reasons. A size of which a run failed does not hold,
    whatever the others came to. A mean that misses by chance ends the way up, so the point leans to small sizes.

    The interval is a bootstrap of seeds, the same drawn seeds for all sizes and modes, which takes in that the
    threshold is known from these seeds only; its level is widened as Student's t would.

    Source: E. Hoffer, I. Hubara and D. Soudry, *Train longer, generalize better*, NeurIPS 2017 and D. Masters and
    C. Luschi, *Revisiting Small Batch Training for Deep Neural Networks*, 2018, for the question; the rule is ours.

    Args:
        results: Of every mode and size.
        base: The mode that the threshold is of.
        small: The largest size that counts as small.
        within: How far below the threshold a mean may lie.
        lost: Sizes of which a run failed.

    Returns:
        The breaking points, or why there are none.

    Example:
        >>> runs = {16: {0: 90.0, 1: 91.0}, 64: {0: 90.0, 1: 90.5}, 256: {0: 80.0, 1: 81.0}}
        >>> str(breaking_points({"plain": runs}, "plain", 32, 1.0).modes["plain"])
        '64'
        >>> str(breaking_points({"plain": runs}, "plain", 32, 1.0, {"plain": [64]}).modes["plain"])
        '16'
    """
    every = [set(runs) for mode, of in results.items() for size, runs in of.items() if size not in lost.get(mode, ())]
    seeds = sorted(set.intersection(*every)) if every else []
    if not seeds:
        return "no seed has all batch sizes and modes"
    tables = {mode: _table(results.get(mode, {}), lost.get(mode, ()), seeds) for mode in (*results, *lost)}
    if base not in tables:
        return f"there is no run of {base}"
    sizes, values = tables[base]
    candidates = small_sizes(sizes, small)
    means = values[: len(candidates)].mean(axis=1)
    if not np.isfinite(means.max()):
        return f"a run failed at each small batch size of {base}"
    threshold = Threshold(float(means.max()), sizes[int(means.argmax())], candidates)
    largest = max(table[0][-1] for table in tables.values())
    modes = {mode: _breaking(table, tables[base], small, within, largest) for mode, table in tables.items()}
    return BreakingPoint(threshold, modes, len(seeds))


def _table(of: Mapping[int, Mapping[int, float]], lost: Collection[int], seeds: Sequence[int]) -> _Table:
    sizes = sorted({*of, *lost})
    rows = [[-math.inf if size in lost else of[size][seed] for seed in seeds] for size in sizes]
    return sizes, np.array(rows)


def _breaking(own: _Table, base: _Table, small: int, within: float, largest: int) -> BreakingPoints:
    seeds = own[1].shape[1]
    sizes, whole = own[0], np.full((1, seeds), 1 / seeds)
    value = _size(sizes, int(_places(own, base, small, within, whole)[0]), largest)
    # Seeds that agree in all would claim certainty, as any two would.
    rows = [row for row in (*own[1], *base[1]) if np.isfinite(row[0])]
    if seeds < LEAST or max(np.ptp(row) for row in rows) < _SLACK:
        return BreakingPoints(value)
    places, share = np.sort(_places(own, base, small, within, _drawn(seeds))), tail(seeds)
    # Outwards to whole ranks: an interval of sizes ends at sizes.
    low, high = math.floor(share * (len(places) - 1)), math.ceil((1 - share) * (len(places) - 1))
    return BreakingPoints(value, _size(sizes, int(places[low]), largest), _size(sizes, int(places[high]), largest))


def _drawn(seeds: int) -> np.ndarray:
    """Weights of the seeds in each resample, ``float64[resamples, seeds]``."""
    picked = np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))
    return (picked[:, :, None] == np.arange(seeds)).mean(axis=1)


def _places(own: _Table, base: _Table, small: int, within: float, weights: np.ndarray) -> np.ndarray:
    """Position of the breaking point among a mode's sizes in each resample; -1 where there is none."""
    level = _means(base, weights)[:, : len(small_sizes(base[0], small))].max(axis=1) - within
    means, count = _means(own, weights), len(small_sizes(own[0], small))
    held = means >= level[:, None] - _SLACK
    start = count - 1 - means[:, count - 1 :: -1].argmax(axis=1)
    # Sizes below the start do not decide: they count as held, so that one running product tells how far it goes.
    before = np.arange(means.shape[1]) < start[:, None]
    reach = np.logical_and.accumulate(held | before, axis=1).sum(axis=1) - 1
    return np.where(reach < start, -1, reach)


def _means(table: _Table, weights: np.ndarray) -> np.ndarray:
    """Means of all sizes in each resample, ``float64[resamples, sizes]``; equal ones are equal to the last bit."""
    known = np.isfinite(table[1])
    return np.where(known.all(axis=1), np.round(weights @ np.where(known, table[1], 0).T, 9), -math.inf)


def _size(sizes: Sequence[int], place: int, largest: int) -> Size:
    if place < 0:
        return Size(sizes[0], "none")
    if place < len(sizes) - 1:
        return Size(sizes[place])
    return Size(sizes[place], "at least" if sizes[place] == largest else "largest run")
