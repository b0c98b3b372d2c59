"""The breaking point: the largest batch size that still does as well as small batches, with an interval over seeds."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from batchsel.analysis.estimates import RESAMPLES, tail

LEAST = 3
"""Of fewer seeds there is no interval: resamples of two that agree would claim certainty."""
_SLACK = 1e-9
"""Means that differ by rounding are equal: a size that lies on the line is within it."""
Results = Mapping[str, Mapping[int, Mapping[int, float]]]
"""The final metric by mode, batch size and seed; more is better."""


class Size(NamedTuple):
    """A batch size, or a bound of one."""

    batch: int
    bound: str = ""
    """ "at least" where the largest size measured holds, "below" where none does."""

    def __str__(self) -> str:
        return f"{self.bound} {self.batch:,}".strip()


class Breaking(NamedTuple):
    """The breaking point of a mode."""

    value: Size
    low: Size | None = None
    high: Size | None = None
    """Ends of the 95 % interval; None for less than `LEAST` seeds."""

    def __str__(self) -> str:
        if self.low is None:
            return str(self.value)
        return f"{self.value} [{self.low}, {self.high}]"


class Threshold(NamedTuple):
    """What small batches reach."""

    value: float
    """The mean over seeds of the best of them."""
    batch: int
    """Which one it is."""
    sizes: tuple[int, ...]
    """Among which it was looked for."""


class Break(NamedTuple):
    """Threshold and breaking points."""

    threshold: Threshold
    modes: dict[str, Breaking]
    seeds: int
    """That all batch sizes and modes have."""


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


def breaking_points(results: Results, base: str, small: int, within: float) -> Break | None:
    """The threshold of small batches, and how far each mode holds it.

    The threshold is the best mean among small sizes in the base mode. A mode is followed from its own best small
    size (of equal ones the largest) upwards, through every size that was measured, as long as the mean lies at
    most `within` below the threshold; the last such size is its breaking point. Sizes below its best small one
    are not asked about: very small batches are worse for other reasons.

    The interval is a bootstrap of seeds, the same drawn seeds for all sizes and modes, which takes in that the
    threshold is known from these seeds only; its level is widened as Student's t would.

    Source: E. Hoffer, I. Hubara and D. Soudry, *Train longer, generalize better*, NeurIPS 2017 and D. Masters and
    C. Luschi, *Revisiting Small Batch Training for Deep Neural Networks*, 2018, for the question; the rule is ours.

    Args:
        results: Of every mode and size.
        base: The mode that the threshold is of.
        small: The largest size that counts as small.
        within: How far below the threshold a mean may lie.

    Returns:
        The breaking points, or None if the base mode has no results or no seed has all.

    Example:
        >>> runs = {16: {0: 90.0, 1: 91.0, 2: 90.4}, 64: {0: 90.0, 1: 90.5, 2: 89.6}, 256: {0: 80.0, 1: 81.0, 2: 79.0}}
        >>> str(breaking_points({"plain": runs}, "plain", 32, 1.0).modes["plain"])
        '64 [64, 64]'
    """
    every = [set(runs) for of in results.values() for runs in of.values()]
    seeds = sorted(set.intersection(*every)) if every else []
    if not results.get(base) or not seeds:
        return None
    tables = {
        mode: (sorted(of), np.array([[of[size][seed] for seed in seeds] for size in sorted(of)]))
        for mode, of in results.items()
    }
    sizes, values = tables[base]
    candidates = small_sizes(sizes, small)
    means = values[: len(candidates)].mean(axis=1)
    threshold = Threshold(float(means.max()), sizes[int(means.argmax())], candidates)
    modes = {mode: _breaking(tables[mode], tables[base], small, within, len(seeds)) for mode in tables}
    return Break(threshold, modes, len(seeds))


def _breaking(
    own: tuple[list[int], np.ndarray], base: tuple[list[int], np.ndarray], small: int, within: float, seeds: int
) -> Breaking:
    sizes, whole = own[0], np.full((1, seeds), 1 / seeds)
    value = _size(sizes, int(_places(own, base, small, within, whole)[0]))
    if seeds < LEAST:
        return Breaking(value)
    places, share = np.sort(_places(own, base, small, within, _drawn(seeds))), tail(seeds)
    # Outwards to whole ranks: an interval of sizes ends at sizes.
    low, high = math.floor(share * (len(places) - 1)), math.ceil((1 - share) * (len(places) - 1))
    return Breaking(value, _size(sizes, int(places[low])), _size(sizes, int(places[high])))


def _drawn(seeds: int) -> np.ndarray:
    """Weights of the seeds in each resample, ``float64[resamples, seeds]``."""
    picked = np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))
    return (picked[:, :, None] == np.arange(seeds)).mean(axis=1)


def _places(
    own: tuple[list[int], np.ndarray],
    base: tuple[list[int], np.ndarray],
    small: int,
    within: float,
    weights: np.ndarray,
) -> np.ndarray:
    """Position of the breaking point among a mode's sizes in each resample; -1 where there is none."""
    level = _means(base, weights)[:, : len(small_sizes(base[0], small))].max(axis=1) - within
    means, count = _means(own, weights), len(small_sizes(own[0], small))
    held = means >= level[:, None] - _SLACK
    start = count - 1 - means[:, count - 1 :: -1].argmax(axis=1)
    # Sizes below the start do not decide: they count as held, so that one running product tells how far it goes.
    before = np.arange(means.shape[1]) < start[:, None]
    reach = np.logical_and.accumulate(held | before, axis=1).sum(axis=1) - 1
    return np.where(reach < start, -1, reach)


def _means(table: tuple[list[int], np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Means of all sizes in each resample, ``float64[resamples, sizes]``; equal ones are equal to the last bit."""
    return np.round(weights @ table[1].T, 9)


def _size(sizes: Sequence[int], place: int) -> Size:
    if place < 0:
        return Size(sizes[0], "below")
    return Size(sizes[place], "at least" if place == len(sizes) - 1 else "")
