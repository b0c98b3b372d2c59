"""Arms at equal seconds, samples and passes: the mirror of time to target, which no choice of target can bend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.outcomes import outcome, timed, value_at
from batchsel.analysis.stats import estimates, survival
from batchsel.analysis.stats.estimates import Estimate
from batchsel.core.target import Target

SHARES = (0.25, 0.5, 1.0)


class Column(NamedTuple):
    """A limit that all arms are looked at."""

    axis: str
    """ "seconds" or "samples"."""
    share: float
    """Of what the baseline needs to the target, at the median over its seeds."""
    limit: float
    """Seconds or samples."""


class Table(NamedTuple):
    """The mean of the target's metric at each limit."""

    metric: str
    columns: list[Column]
    rows: dict[str, list[Estimate | None]]


def table(arms: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table | None:
    """The metric of each arm at shares of the baseline's time and samples.

    Samples and passes are the same limit, since all arms of a data set have the same n. Seconds are left out unless all
    runs had the device alone. A run that was ended
    at its target counts with its last value.

    Args:
        arms: Records of each arm, the baseline first.

    Returns:
        The table, or None if less than half of the baseline's runs reached the target.
    """
    baseline = next(iter(arms.values()))
    metric = Target.parse(baseline[0]["spec"]["target"]).metric
    outcomes = [outcome(record) for record in baseline]
    columns = []
    for axis in ("seconds", "samples") if timed(arms) else ("samples",):
        middle = survival.median([getattr(item, axis) for item in outcomes], [item.reached for item in outcomes])
        if middle == float("inf"):
            return None
        columns += [Column(axis, share, share * middle) for share in SHARES]
    return Table(
        metric, columns, {name: [_at(records, metric, column) for column in columns] for name, records in arms.items()}
    )


def _at(records: Sequence[Mapping[str, Any]], metric: str, column: Column) -> Estimate | None:
    values = [value_at(record, metric, column.axis, column.limit) for record in records]
    known = [value for value in values if value is not None]
    return estimates.mean(known) if len(known) == len(values) else None
