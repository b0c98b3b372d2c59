"""Answer all studies that records belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from batchsel.analysis.comparison import Analysis, Comparison
from batchsel.analysis.studies import batch_sizes_study, budgets_study, factorial_study, horizon_study
from batchsel.analysis.studies.study import Study
from batchsel.analysis.studies.study_parts import split_into_parts
from batchsel.analysis.verdict import baseline_drifted, format_ratio
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

KINDS = {
    "factorial": factorial_study.answer,
    "batch_sizes": batch_sizes_study.answer,
    "budgets": budgets_study.answer,
    "horizon": horizon_study.answer,
}
"""Function that answers each kind of study that an [analysis] table may name."""
_OF_TIME = ("time", "time to target", "speed-up in seconds", "training", "throughput")
"""Endings of quantities that depend on seconds."""


def answer_studies(records: Sequence[RunRecord], failures: Sequence[FailureRecord] = ()) -> list[Study]:
    """Answer the studies, in the order of the data sets.

    Args:
        records: Records of any number of experiments; plain comparisons among them are skipped.
        failures: Records of runs that failed.

    Example:
        >>> answer_studies([])
        []
    """
    answers = [answer(part) for kind, answer in KINDS.items() for part in split_into_parts(records, kind, failures)]
    order = list(dict.fromkeys(record.spec.dataset for record in records))
    return sorted(answers, key=lambda item: order.index(item.dataset))


def exclude_studied(analysis: Analysis, studies: Sequence[Study]) -> Analysis:
    """Return the comparisons on data sets without a study, and second runs of all baselines.

    A study has its own question; whether one of its arms, or a control of that arm, reaches a target sooner than the
    baseline is a detail. If a second run of the baseline takes another time, no time can be trusted.

    Args:
        analysis: All comparisons.
        studies: All studies.
    """
    studied = {study.dataset for study in studies}
    return Analysis(
        [item for item in analysis.summaries if item.dataset not in studied],
        [item for item in analysis.comparisons if item.dataset not in studied or _repeats_the_baseline(item)],
    )


def _repeats_the_baseline(item: Comparison) -> bool:
    return item.arm.role == "control" and not item.arm.control_of


def add_control_notes(studies: Sequence[Study], analysis: Analysis) -> list[Study]:
    """Add a note to studies with times where a second run of the baseline took another time.

    Args:
        studies: All studies.
        analysis: All comparisons.
    """
    noted = []
    for study in studies:
        timed = any(item.quantity.endswith(_OF_TIME) for item in study.findings)
        notes = [
            f"{item.arm.arm} took {format_ratio(item.time)} of the time of {item.baseline.arm}, which has the same"
            " settings: times and their ratios are not to be trusted."
            for item in analysis.comparisons
            if timed and item.time is not None and item.dataset == study.dataset and baseline_drifted(item)
        ]
        noted.append(replace(study, notes=(*study.notes, *notes)))
    return noted
