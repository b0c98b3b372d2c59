"""Power of an experiment before its first run: the differences that its seeds can detect."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from batchsel.analysis.comparison import analyze
from batchsel.analysis.final_metrics import MetricUnit, final_metrics
from batchsel.analysis.groups import base_dataset, split_groups
from batchsel.analysis.single_runs import SINGLE
from batchsel.analysis.stats import power, sign_flips
from batchsel.experiments.run.run_record import RunRecord

_SPREADS = (0.1, 0.2, 0.3, 0.5)
"""Spreads that occur, where none is known."""
_FEWEST = 3
"""Fewest differences that a spread is estimated from."""


def seen_spreads(records: Sequence[RunRecord]) -> dict[str, float]:
    """Return the standard deviation of log ratios over seeds by data set, the median of all arms.

    Args:
        records: Earlier records.
    """
    compared, _ = split_groups([record for record in records if record.arm.role != SINGLE and not record.analysis])
    names = {record.spec.dataset: base_dataset(record) for record in compared}
    spreads: dict[str, list[float]] = {}
    for item in analyze(compared).comparisons if compared else ():
        if item.spread is not None and item.spread > 0 and not item.arm.control_of:
            spreads.setdefault(names[item.dataset], []).append(item.spread)
    return {dataset: statistics.median(found) for dataset, found in spreads.items()}


def expected_power(datasets: Sequence[str], seeds: int, arms: int, spreads: Mapping[str, float]) -> list[str]:
    """Return sentences on what a number of seeds can detect.

    Args:
        datasets: Names of the data sets.
        seeds: Number of seeds.
        arms: Number of arms without the baseline.
        spreads: Spreads of earlier records by data set.

    Example:
        >>> expected_power(["digits"], 5, 1, {})
        ['5 seeds cannot establish any difference: p is at least 0.062; it takes 6 seeds.']
    """
    tests = max(1, arms * len(datasets))
    alpha = 0.05 / tests
    corrected = f", corrected for {tests} arms" if tests > 1 else ""
    if seeds < power.fewest_seeds(alpha):
        least = min(1.0, tests * sign_flips.smallest(seeds))
        return [
            f"{seeds} seeds cannot establish any difference{corrected}: p is at least {least:.2g}; it takes"
            f" {power.fewest_seeds(alpha)} seeds."
        ]
    lines = []
    for dataset in datasets:
        spread = spreads.get(dataset)
        if spread is not None:
            needed = [f"{power.seeds_needed(ratio, spread, alpha):,} seeds for {ratio}" for ratio in (0.8, 0.9)]
            found = power.detectable_ratio(spread, seeds, alpha)
            lines.append(
                f"on {dataset}, {seeds} seeds find a ratio of {found:.2f} in four"
                f" of five experiments{corrected}, at the spread of earlier records, {spread:.2f}; it takes"
                f" {' and '.join(needed)}."
            )
    unknown = [dataset for dataset in datasets if dataset not in spreads]
    if unknown:
        each = [f"{power.detectable_ratio(spread, seeds, alpha):.2f} at {spread}" for spread in _SPREADS]
        lines.append(
            f"no earlier records show the spread on {', '.join(unknown)}. In four of five experiments{corrected},"
            f" {seeds} seeds find a ratio of {', '.join(each)} (standard deviation of the log ratio over seeds)."
        )
    return lines


def seen_differences(records: Sequence[RunRecord], unit: MetricUnit) -> dict[str, float]:
    """Return the standard deviation of differences in the final metric over seeds by data set, the median of all arms.

    Args:
        records: Earlier records; each arm is paired with the one that its records are against.
        unit: Unit of the metric.
    """
    finals: dict[tuple[str, str], dict[int, float]] = {}
    pairs: dict[tuple[str, str], str] = {}
    for record, value in zip(records, final_metrics(records, unit), strict=True):
        if record.arm.role == SINGLE or value is None:
            continue
        key = (record.spec.dataset, record.arm.name)
        finals.setdefault(key, {})[record.spec.seed] = value
        pairs[key] = record.arm.against
    spreads: dict[str, list[float]] = {}
    for (dataset, arm), other in pairs.items():
        own, against = finals[dataset, arm], finals.get((dataset, other), {})
        differences = [own[seed] - against[seed] for seed in own.keys() & against.keys()]
        if other != arm and len(differences) >= _FEWEST:
            spreads.setdefault(dataset, []).append(statistics.stdev(differences))
    return {dataset: statistics.median(found) for dataset, found in spreads.items()}


def expected_effects(datasets: Sequence[str], seeds: int, unit: MetricUnit, spreads: Mapping[str, float]) -> list[str]:
    """Return sentences on the effects that a number of seeds can detect.

    Args:
        datasets: Names of the data sets.
        seeds: Number of seeds.
        unit: Unit of the metric.
        spreads: Standard deviations of differences in earlier records by data set, in that unit.

    Example:
        >>> from batchsel.analysis.final_metrics import unit_for
        >>> expected_effects(["digits"], 10, unit_for("accuracy"), {"digits": 0.5})
        ['on digits, 10 seeds find an effect of 0.50 points ..., at the spread ... in earlier records, 0.50.']
    """
    shift = power.detectable_shift(seeds)
    if shift is None:
        return [f"one seed shows no spread: no effect on the {unit.metric} can be established."]
    lines = [
        f"on {dataset}, {seeds} seeds find an effect of {unit.number(shift * spreads[dataset])} {unit.words} in four of"
        f" five experiments, at the spread of differences between two arms in earlier records,"
        f" {unit.number(spreads[dataset])}."
        for dataset in datasets
        if dataset in spreads
    ]
    unknown = [dataset for dataset in datasets if dataset not in spreads]
    if unknown:
        lines.append(
            f"no earlier records show the spread on {', '.join(unknown)}. In four of five experiments, {seeds} seeds"
            f" find an effect on the {unit.metric} of {shift:.2f} standard deviations of the difference between two"
            " arms."
        )
    return lines
