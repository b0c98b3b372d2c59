"""Power of an experiment before its first run: the differences that its seeds can detect."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from batchsel.analysis.comparison import analyze
from batchsel.analysis.groups import base_dataset, split_groups
from batchsel.analysis.single_runs import SINGLE
from batchsel.analysis.stats import power, sign_flips
from batchsel.experiments.run.run_record import RunRecord

_SPREADS = (0.1, 0.2, 0.3, 0.5)
"""Spreads that occur, where none is known."""


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
