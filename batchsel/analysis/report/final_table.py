"""Table of the end of training: accuracy and loss of each arm on each part, mean and interval over seeds."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from batchsel.analysis.final_metrics import final_results
from batchsel.analysis.outcomes import arm_order
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
        by_arm: dict[str, list[int]] = {}
        for place, record in enumerate(own):
            by_arm.setdefault(record.arm.name, []).append(place)
        for arm, places in sorted(by_arm.items(), key=lambda item: arm_order(own[item[1][0]].arm.role, item[0])):
            means = {
                f"{part} {metric}": estimates.mean(values[places].tolist(), *estimates.share_bounds(metric))
                for (part, metric), values in columns.items()
            }
            rows.append(FinalRow(dataset, arm, len(places), means))
    return rows


def _columns(records: Sequence[RunRecord]) -> dict[tuple[str, str], np.ndarray]:
    """Return the values of all runs, by part and metric, where every run has one; NaN for one that diverged."""
    metrics = dict.fromkeys([Target.parse(records[0].spec.target).metric, "loss"])
    known: dict[tuple[str, str], np.ndarray] = {}
    for metric in metrics:
        for part in (TRAINING, VALIDATION, TEST, AT_CROSSING):
            if part == AT_CROSSING and (TEST, metric) in known:
                continue
            with contextlib.suppress(KeyError, IndexError, TypeError):
                values = [_value(record, part, metric) for record in records]
                known[part, metric] = np.array([math.nan if value is None else value for value in values], float)
    return known


def _value(record: RunRecord, part: str, metric: str) -> float | None:
    if part == TRAINING:
        if record.end and record.end.train:
            return record.end.train[metric]
        return record.history[metric][-1]
    if part == VALIDATION:
        return record.evaluations[-1].values[metric]
    return ((final_results(record) or {}) if part == TEST else record.test)[metric]
