"""Table of the end of training: accuracy and loss of each arm on each part, mean and interval over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from batchsel.analysis.final_metrics import final_results
from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import Estimate
from batchsel.core.target import Target
from batchsel.experiments.run.run_record import RunRecord

TRAINING, VALIDATION, TEST, AT_CROSSING = "training", "validation", "test", "test at the crossing"


class FinalRow(NamedTuple):
    """Final metrics of an arm on a data set."""

    dataset: str
    arm: str
    runs: int
    values: dict[str, Estimate]
    """By part and metric, as in "validation accuracy"; the same keys for all arms of a data set."""


def final_table(records: Sequence[RunRecord]) -> list[FinalRow]:
    """Return the final metrics of each arm of each data set.

    Metrics are the loss and that of the target. "training" is measured with the weights at the end where that was
    asked for (``measure = ["end"]``), else it is the mean over the batches since the evaluation before, as in
    `model.fit`; "validation" is the last evaluation. "test" is measured at the end if all runs have it, else it is
    "test at the crossing".

    Args:
        records: Records of any number of data sets.
    """
    rows = []
    for dataset in dict.fromkeys(record.spec.dataset for record in records):
        own = [record for record in records if record.spec.dataset == dataset]
        columns = _columns(own)
        for arm in dict.fromkeys(record.arm.name for record in own):
            runs = [record for record in own if record.arm.name == arm]
            values = {f"{part} {metric}": _mean(runs, part, metric) for part, metric in columns}
            rows.append(FinalRow(dataset, arm, len(runs), values))
    return rows


def _columns(records: Sequence[RunRecord]) -> list[tuple[str, str]]:
    """Return the parts and metrics that every run has a value of, by metric."""
    metrics = dict.fromkeys([Target.parse(records[0].spec.target).metric, "loss"])
    columns = [(part, metric) for metric in metrics for part in (TRAINING, VALIDATION, TEST, AT_CROSSING)]
    known = [column for column in columns if all(_has(record, *column) for record in records)]
    return [(part, metric) for part, metric in known if part != AT_CROSSING or (TEST, metric) not in known]


def _has(record: RunRecord, part: str, metric: str) -> bool:
    try:
        _value(record, part, metric)
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _value(record: RunRecord, part: str, metric: str) -> float | None:
    if part == TRAINING:
        if record.end and record.end.train:
            return record.end.train[metric]
        return record.history[metric][-1]
    if part == VALIDATION:
        return record.evaluations[-1].values[metric]
    return ((final_results(record) or {}) if part == TEST else record.test)[metric]


def _mean(records: Sequence[RunRecord], part: str, metric: str) -> Estimate:
    values = [_value(record, part, metric) for record in records]
    known = [float("nan") if value is None else value for value in values]  # a run that diverged has no value
    return estimates.mean(known, *estimates.share_bounds(metric))
