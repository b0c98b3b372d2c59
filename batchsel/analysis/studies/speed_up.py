"""Speed-up of larger batches to the value that small ones reach, in steps and in seconds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from batchsel.analysis.final_metrics import MetricUnit
from batchsel.analysis.outcomes import seconds_count
from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.breaking_point import small_sizes
from batchsel.core.target import HOLD, first_reached
from batchsel.experiments.run.run_record import RunRecord

ModeAndSize = tuple[str, int]
"""A mode and a batch size."""
RunsBySize = Mapping[ModeAndSize, Sequence[RunRecord]]
"""Records by mode and batch size, one for each seed."""
_NONE_FAILED: Mapping[ModeAndSize, int] = {}
_Arrivals = dict[int, tuple[float, float]]
"""Steps and seconds by seed, for the runs that reached the value."""


class SpeedUp(NamedTuple):
    """Speed-up of a batch size over the smallest that reaches the same value."""

    mode: str
    batch: int
    steps: Estimate
    seconds: Estimate | None
    """None if runs shared the device."""
    grid: float
    """Largest number of samples between evaluations: times to the value are not known more exactly."""


def small_batch_value(runs: RunsBySize, base: str, small: int, within: float, unit: MetricUnit) -> float | None:
    """Return the value that small batches end at on the validation part, less a tolerance.

    Args:
        runs: The runs.
        base: Mode whose small batches count.
        small: Largest size that counts as small.
        within: Tolerance, in the unit.
        unit: Unit of the metric.

    Returns:
        The value as it is recorded, not in the unit; None if the metric was not evaluated.
    """
    means: list[float] = []
    for size in small_sizes(sorted(batch for mode, batch in runs if mode == base), small):
        last = [record.evaluations[-1].values.get(unit.metric) for record in runs[base, size]]
        known = [value for value in last if value is not None]
        if len(known) == len(last):
            means.append(sum(known) / len(known))
    if not means:
        return None
    return max(means) - within / unit.factor if unit.rising else min(means) + within / unit.factor


def speed_ups(
    runs: RunsBySize,
    base: str,
    value: float | None,
    unit: MetricUnit,
    failed: Mapping[ModeAndSize, int] = _NONE_FAILED,
) -> list[SpeedUp]:
    """Estimate speed-ups over the smallest size of the base mode that reaches a value.

    Where all seeds reach it, the speed-up is the geometric mean over paired seeds, else the ratio of medians, which
    has no interval. Ideal is the ratio of the batch sizes. Source: C. Shallue and others, *Measuring the Effects of
    Data Parallelism on Neural Network Training*, JMLR 20 (2019).

    Args:
        runs: The runs.
        base: Mode of the size that others are compared with.
        value: Value to reach, or None.
        unit: Unit of the metric.
        failed: Number of failed runs by mode and size: they do not reach the value.

    Returns:
        One for each mode and size that reaches the value on at least half of its seeds; where all seeds do, only for
        those that share a seed with the first size.
    """
    if value is None:
        return []
    arrived = {key: _arrivals(records, value, unit) for key, records in runs.items()}
    counts = {key: len(records) + failed.get(key, 0) for key, records in runs.items()}
    arriving = [key for key, seeds in arrived.items() if seeds and 2 * len(seeds) >= counts[key]]
    first = min((key for key in arriving if key[0] == base), key=lambda key: key[1], default=None)
    if first is None:
        return []
    found = []
    for key in arriving:
        complete = all(len(arrived[one]) == counts[one] for one in (first, key))
        both, pairs = (arrived[first], arrived[key]), (counts[first], counts[key])
        if complete and not set(both[0]) & set(both[1]):
            continue
        steps, seconds = (_paired(*both, place) if complete else _medians(both, pairs, place) for place in (0, 1))
        timed = seconds_count(record for one in (first, key) for record in runs[one])
        grid = max(_grid(record) for one in (first, key) for record in runs[one])
        found.append(SpeedUp(*key, steps, seconds if timed else None, grid))
    return found


def _grid(record: RunRecord) -> float:
    samples = [0, *(point.samples for point in record.evaluations)]
    return max(after - before for before, after in itertools.pairwise(samples))


def _paired(first: _Arrivals, other: _Arrivals, place: int) -> Estimate:
    seeds = sorted(set(first) & set(other))
    values = [math.log(first[seed][place] / other[seed][place]) for seed in seeds]
    return estimates.ratio(values)


def _medians(both: Sequence[_Arrivals], runs: Sequence[int], place: int) -> Estimate:
    """Return the ratio of the times by which half of the runs had arrived; the others would have arrived later."""
    before, after = (
        sorted(one[place] for one in arrived.values())[(n - 1) // 2] for arrived, n in zip(both, runs, strict=True)
    )
    return Estimate(before / after)


def _arrivals(records: Sequence[RunRecord], value: float, unit: MetricUnit) -> _Arrivals:
    """Return when runs reached the value and kept it for a second evaluation."""
    found = {}
    for record in records:
        values = [point.values[unit.metric] for point in record.evaluations]
        place = first_reached([one >= value if unit.rising else one <= value for one in values], HOLD)
        if place is not None:
            point = record.evaluations[place]
            found[record.spec.seed] = (max(point.steps, 1), max(point.seconds, 1e-9))
    return found
