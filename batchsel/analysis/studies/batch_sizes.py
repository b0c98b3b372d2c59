"""Sweep of batch sizes in several modes: final metric, generalization gap, speed, and breaking point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.final_metrics import MetricUnit, final_metrics, missing_finals, study_unit
from batchsel.analysis.outcomes import seconds_count
from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.breaking_point import BreakingPoints, find_breaking_points
from batchsel.analysis.studies.noise_scale import NoiseScale, noise_scale
from batchsel.analysis.studies.speed_up import ModeAndSize, SpeedUp, small_batch_value, speed_ups
from batchsel.analysis.studies.study_parts import StudyPart, base_level, settings_conflict
from batchsel.experiments.run.record_parts import EndResults
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

SMALL, POINTS = 32, 1.0
"""Defaults of a card: largest batch size that counts as small, and largest distance of a mean below the threshold."""
PLAIN = "all"
"""Name of the only mode of a study without a factor of modes."""


class SizeResult(NamedTuple):
    """Results of one batch size in one mode."""

    mode: str
    batch: int
    records: list[RunRecord]
    finals: dict[int, float]
    """Final metric by seed, in its unit."""
    final: Estimate
    gap: Estimate | None
    """Generalization gap: how much better the metric is on the training data, in its unit."""
    loss_gap: Estimate | None
    """Test loss less training loss."""
    seconds: Estimate | None
    """Geometric mean of the seconds of training to the end of the budget; None if runs shared the device."""
    steps: float
    """Mean number of updates of the weights."""
    throughput: float | None
    """Samples trained on per second."""
    noise: NoiseScale | None


class BatchSizes(NamedTuple):
    """Results of a sweep."""

    unit: MetricUnit
    base: str
    """Mode that the threshold is taken from."""
    within: float
    """Largest distance of a mean below the threshold, in the unit."""
    sizes: dict[ModeAndSize, SizeResult]
    failed: dict[ModeAndSize, int]
    """Number of failed runs, where there are any; there may be no others."""
    breaking: BreakingPoints | None
    """Threshold and breaking points; None if they are not known."""
    missing: str
    """Reason why there are no breaking points; empty if there are."""
    value: float | None
    """Value on the validation part, as recorded, that speed-ups are measured to."""
    speed_ups: list[SpeedUp]
    front: list[ModeAndSize]
    """Modes and sizes whose means no other beats in both metric and time, the fastest first, among those with times
    and without failures."""
    noise: NoiseScale | None
    """Noise scale over all runs."""

    @property
    def modes(self) -> list[str]:
        """Names of the modes, the base first."""
        return list(dict.fromkeys([self.base, *(mode for mode, _ in (*self.sizes, *self.failed))]))

    @property
    def front_points(self) -> list[tuple[float, SizeResult]]:
        """Mean seconds and result of each size on the front."""
        results = [self.sizes[key] for key in self.front]
        return [(result.seconds.value, result) for result in results if result.seconds is not None]

    @property
    def batches(self) -> list[int]:
        """All batch sizes, in rising order."""
        return sorted({batch for _, batch in self.sizes})


def batch_sizes(part: StudyPart) -> BatchSizes | str:
    """Estimate the results of a sweep.

    The [analysis] table may state "batch" and "mode" (names of the factors), "base" (the mode that the threshold
    is taken from), "small" and "points".

    Args:
        part: A part of a study; controls in it are left out.

    Returns:
        The results, or the reason why there are none.
    """
    runs = [record for record in part.records if _mode_and_size(record, part.analysis)]
    unit, base, small = study_unit(part.records, part.analysis), _base(part), int(part.analysis.get("small", SMALL))
    sizes = _size_results(runs, part, unit)
    if isinstance(sizes, str):
        return sizes
    # A run without a value, such as an infinite loss, diverged, and counts as failed.
    keys = [_mode_and_size(failure, part.analysis) for failure in part.failures]
    finals = final_metrics(runs, unit)
    keys += [_mode_and_size(run, part.analysis) for run, final in zip(runs, finals, strict=True) if final is None]
    failed = {key: keys.count(key) for key in keys if key is not None}
    within = float(part.analysis.get("points", POINTS))
    breaking = _breaking_points(sizes, failed, base, small, within, 1 if unit.rising else -1)
    runs_of = {key: result.records for key, result in sizes.items()}
    without_failures = {key: result for key, result in sizes.items() if key not in failed}
    value = small_batch_value({key: runs_of[key] for key in without_failures}, base, small, within, unit)
    return BatchSizes(
        unit=unit,
        base=base,
        within=within,
        sizes=sizes,
        failed=failed,
        breaking=None if isinstance(breaking, str) else breaking,
        missing=breaking if isinstance(breaking, str) else "",
        value=value,
        speed_ups=speed_ups(runs_of, base, value, unit, failed),
        front=pareto_front(without_failures, unit.rising),
        noise=noise_scale(runs),
    )


def pareto_front(sizes: Mapping[ModeAndSize, SizeResult], rising: bool) -> list[ModeAndSize]:
    """Return the modes and sizes whose mean is better than that of all that are as fast.

    Args:
        sizes: Results by mode and size; those without seconds are skipped.
        rising: True if more is better.
    """
    timed = [(result.seconds.value, result) for result in sizes.values() if result.seconds is not None]
    sign = 1 if rising else -1
    front, best = [], -math.inf
    for _, result in sorted(timed, key=lambda item: (item[0], -sign * item[1].final.value)):
        if sign * result.final.value > best:
            best = sign * result.final.value
            front.append((result.mode, result.batch))
    return front


def _base(part: StudyPart) -> str:
    runs = [run for run in (*part.records, *part.failures) if run.arm.role != "control"]
    return base_level(runs, part.analysis.get("mode", "mode"), part.analysis.get("base")) or PLAIN


def _size_results(runs: Sequence[RunRecord], part: StudyPart, unit: MetricUnit) -> dict[ModeAndSize, SizeResult] | str:
    """Return the results by mode and size, or the reason why there are none."""
    if not runs:
        return "no run states a batch size"
    problem = missing_finals(runs)
    if problem:
        return problem
    groups: dict[ModeAndSize, list[tuple[RunRecord, float]]] = {}
    for record, value in zip(runs, final_metrics(runs, unit), strict=True):
        if value is not None:
            groups.setdefault(_mode_and_size(record, part.analysis) or (PLAIN, 0), []).append((record, value))
    described = {
        f"{'' if mode == PLAIN else f'{mode}, '}batch size {batch}": [run for run, _ in group]
        for (mode, batch), group in groups.items()
    }
    if not groups:
        return f"no run has a final {unit.metric}"
    return settings_conflict(described) or {key: _size_result(*key, groups[key], unit) for key in sorted(groups)}


def _breaking_points(
    sizes: Mapping[ModeAndSize, SizeResult],
    failed: Mapping[ModeAndSize, int],
    base: str,
    small: int,
    within: float,
    sign: int,
) -> BreakingPoints | str:
    results: dict[str, dict[int, dict[int, float]]] = {}
    for (mode, batch), result in sizes.items():
        results.setdefault(mode, {})[batch] = {seed: sign * value for seed, value in result.finals.items()}
    failed_sizes: dict[str, set[int]] = {}
    for mode, batch in failed:
        failed_sizes.setdefault(mode, set()).add(batch)
    found = find_breaking_points(results, base, small, within, failed_sizes)
    if isinstance(found, str):
        return found
    return found._replace(threshold=found.threshold._replace(value=sign * found.threshold.value))


def _mode_and_size(record: RunRecord | FailureRecord, analysis: Mapping[str, Any]) -> ModeAndSize | None:
    """Return mode and batch size of a run; None for controls and arms without levels, such as an added baseline.

    A level that is not a number stands for the batch size that the run was made with.
    """
    levels = record.arm.levels
    if not levels or record.arm.role == "control":
        return None
    text = str(levels.get(analysis.get("batch", "batch size")))
    batch = int(text) if text.isdigit() else int(record.spec.batch_size)
    return record.arm.level(analysis.get("mode", "mode")) or PLAIN, batch


def _size_result(mode: str, batch: int, runs: Sequence[tuple[RunRecord, float]], unit: MetricUnit) -> SizeResult:
    by_seed = {record.spec.seed: (record, value) for record, value in runs}
    records, values = [record for record, _ in by_seed.values()], {seed: run[1] for seed, run in by_seed.items()}
    timed = seconds_count(records)
    seconds = [record.seconds.training for record in records]
    samples = [record.counts.samples for record in records]
    steps = [record.counts.steps if record.updates is None else record.updates for record in records]
    return SizeResult(
        mode=mode,
        batch=batch,
        records=records,
        finals=values,
        final=estimates.over_seeds(list(values.values()), *unit.bounds),
        gap=_gap(records, unit.metric, unit.factor * (1 if unit.rising else -1)),
        loss_gap=_gap(records, "loss", -1.0),
        seconds=estimates.geometric_mean(seconds) if timed else None,
        steps=sum(steps) / len(steps),
        throughput=sum(samples) / sum(seconds) if timed and sum(seconds) > 0 else None,
        noise=noise_scale(records),
    )


def _gap(records: Sequence[RunRecord], metric: str, factor: float) -> Estimate | None:
    """Return training less test result times a factor; None if a run was not measured on its training data."""
    differences = []
    for record in records:
        end = record.end or EndResults()
        train, test = (end.train or {}).get(metric), (end.test or {}).get(metric)
        if train is None or test is None:
            return None
        differences.append(factor * (train - test))
    return estimates.over_seeds(differences)
