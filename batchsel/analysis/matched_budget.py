"""Compare arms at equal seconds and samples: the counterpart of time to target, free of any choice of target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from batchsel.analysis.outcomes import all_timed, outcome, value_at
from batchsel.analysis.stats import estimates, survival
from batchsel.analysis.stats.estimates import Estimate
from batchsel.core.target import Target
from batchsel.experiments.run.run_record import RunRecord

SHARES = (0.25, 0.5, 1.0)


class BudgetLimit(NamedTuple):
    """A limit at which all arms are compared."""

    axis: str
    """ "seconds" or "samples"."""
    share: float
    """Share of what the baseline needs to the target, at the median over its seeds."""
    limit: float
    """Seconds or samples."""


class MatchedBudget(NamedTuple):
    """Mean of the target's metric at each limit."""

    metric: str
    columns: list[BudgetLimit]
    rows: dict[str, list[Estimate | None]]


def matched_budget(arms: Mapping[str, Sequence[RunRecord]]) -> MatchedBudget | None:
    """Return the metric of each arm at shares of the baseline's time and samples.

    Samples and passes are the same limit, since all arms of a data set have the same n. Seconds are left out unless
    every run had the device to itself. A run that was ended at its target counts with its last value.

    Args:
        arms: Records of each arm, the baseline first.

    Returns:
        The values, or None if less than half of the baseline's runs reached the target.
    """
    baseline = next(iter(arms.values()))
    metric = Target.parse(baseline[0].spec.target).metric
    outcomes = [outcome(record) for record in baseline]
    columns = []
    for axis in ("seconds", "samples") if all_timed(arms) else ("samples",):
        median = survival.median([getattr(item, axis) for item in outcomes], [item.reached for item in outcomes])
        if median == float("inf"):
            return None
        columns += [BudgetLimit(axis, share, share * median) for share in SHARES]
    rows = {name: [_mean_at(records, metric, column) for column in columns] for name, records in arms.items()}
    return MatchedBudget(metric, columns, rows)


def _mean_at(records: Sequence[RunRecord], metric: str, column: BudgetLimit) -> Estimate | None:
    values = [value_at(record, metric, column.axis, column.limit) for record in records]
    known = [value for value in values if value is not None]
    return estimates.mean(known, *estimates.share_bounds(metric)) if len(known) == len(values) else None
