"""How much sooner larger batches get to what small ones reach, in steps and in seconds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.final_metrics import Unit
from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.breaking_point import small_sizes
from batchsel.core.target import HOLD, first_reached

Key = tuple[str, int]
"""A mode and a batch size."""
Runs = Mapping[Key, Sequence[Mapping[str, Any]]]
"""Records by mode and batch size, one a seed."""
_NONE_LOST: Mapping[Key, int] = {}
_Arrivals = dict[int, tuple[float, float]]
"""Steps and seconds by seed, of the runs that got there."""


class SpeedUp(NamedTuple):
    """How many times sooner a batch size gets there than the smallest that does."""

    mode: str
    batch: int
    steps: Estimate
    seconds: Estimate | None
    """None if runs shared the device."""
    grid: float
    """Samples between evaluations, at most: arrivals are known no better."""


def level_of_small(runs: Runs, base: str, small: int, within: float, unit: Unit) -> float | None:
    """What small batches end at on the validation part, which is looked at during runs, less what is allowed.

    Args:
        runs: The runs.
        base: The mode whose small batches are meant.
        small: The largest size that counts as small.
        within: How much less is enough, in the unit.
        unit: The unit.

    Returns:
        The level as it is recorded, not in the unit; None if the metric was not looked at.
    """
    means = []
    for size in small_sizes(sorted(batch for mode, batch in runs if mode == base), small):
        last = [record["evaluations"][-1].get(unit.metric) for record in runs[base, size]]
        if None not in last:
            means.append(sum(last) / len(last))
    if not means:
        return None
    return max(means) - within / unit.factor if unit.rising else min(means) + within / unit.factor


def speed_ups(
    runs: Runs, base: str, level: float | None, unit: Unit, lost: Mapping[Key, int] = _NONE_LOST
) -> list[SpeedUp]:
    """Speed-ups against the smallest size of the base mode that gets there.

    Where all seeds get there it is the geometric mean over paired seeds, else the ratio of medians, for which there
    is no interval. Ideal is the ratio of the batch sizes. Source: C. Shallue and others, *Measuring the Effects of
    Data Parallelism on Neural Network Training*, JMLR 20 (2019).

    Args:
        runs: The runs.
        base: The mode that the first size is of.
        level: The level that is to be got to, or None.
        unit: The unit.
        lost: How many runs failed, of the modes and sizes in which any did: they do not get there.

    Returns:
        One of each mode and size that gets there on at least half of its seeds; where all do, of those that share a
        seed with the first.
    """
    if level is None:
        return []
    arrived = {key: _arrivals(records, level, unit) for key, records in runs.items()}
    many = {key: len(records) + lost.get(key, 0) for key, records in runs.items()}
    there = [key for key, of in arrived.items() if of and 2 * len(of) >= many[key]]
    first = min((key for key in there if key[0] == base), key=lambda key: key[1], default=None)
    if first is None:
        return []
    found = []
    for key in there:
        whole = all(len(arrived[of]) == many[of] for of in (first, key))
        both, pairs = (arrived[first], arrived[key]), (many[first], many[key])
        if whole and not set(both[0]) & set(both[1]):
            continue
        steps, seconds = (_paired(*both, place) if whole else _medians(both, pairs, place) for place in (0, 1))
        timed = not any(record["contended"] for of in (first, key) for record in runs[of])
        grid = max(_grid(record) for of in (first, key) for record in runs[of])
        found.append(SpeedUp(*key, steps, seconds if timed else None, grid))
    return found


def _grid(record: Mapping[str, Any]) -> float:
    samples = [0, *(point["samples"] for point in record["evaluations"])]
    return max(after - before for before, after in itertools.pairwise(samples))


def _paired(first: _Arrivals, other: _Arrivals, place: int) -> Estimate:
    seeds = sorted(set(first) & set(other))
    values = [math.log(first[seed][place] / other[seed][place]) for seed in seeds]
    return estimates.supported(estimates.ratio(values), values)


def _medians(both: Sequence[_Arrivals], runs: Sequence[int], place: int) -> Estimate:
    """The ratio of when half of the runs had got there; those that did not would have later."""
    before, after = (
        sorted(of[place] for of in arrived.values())[(n - 1) // 2] for arrived, n in zip(both, runs, strict=True)
    )
    return Estimate(before / after)


def _arrivals(records: Sequence[Mapping[str, Any]], level: float, unit: Unit) -> _Arrivals:
    """When runs got to the level and stayed for a second evaluation."""
    found = {}
    for record in records:
        values = [point[unit.metric] for point in record["evaluations"]]
        place = first_reached([value >= level if unit.rising else value <= level for value in values], HOLD)
        if place is not None:
            point = record["evaluations"][place]
            found[record["spec"]["seed"]] = (max(point["steps"], 1), max(point["seconds"], 1e-9))
    return found
