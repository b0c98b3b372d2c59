"""All studies that records hold, each answered in its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchsel.analysis.comparison import Analysis
from batchsel.analysis.studies import batch_sizes_study, budgets_study, factorial_study
from batchsel.analysis.studies.study import Study
from batchsel.analysis.studies.study_parts import parts
from batchsel.analysis.verdict import baseline_drifted, number

KINDS = {"factorial": factorial_study.study, "batch_sizes": batch_sizes_study.study, "budgets": budgets_study.study}
"""The kinds that an [analysis] table of a card may name, and what answers them."""


_OF_TIME = ("time", "time to target", "speed-up in seconds", "training", "throughput")
"""Quantities of findings that seconds are in."""


def studies(records: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]] = ()) -> list[Study]:
    """The answers, in the order of the data sets.

    Args:
        records: Of any number of experiments; plain comparisons among them are passed over.
        failures: Records of runs that failed.

    Example:
        >>> studies([])
        []
    """
    found = [answer(part) for kind, answer in KINDS.items() for part in parts(records, kind, failures)]
    order = list(dict.fromkeys(record["spec"]["dataset"] for record in records))
    return sorted(found, key=lambda item: order.index(item.dataset))


def without_studied(analysis: Analysis, studies: Sequence[Study]) -> Analysis:
    """The comparisons of the data sets that are not those of a study, and all controls.

    A study has a question of its own; that an arm of it is faster or slower than its baseline is a detail. What its
    controls say is none: if the baseline differs from itself, so may all that was timed.

    Args:
        analysis: All comparisons.
        studies: All studies.
    """
    studied = {study.dataset for study in studies}
    return Analysis(
        [item for item in analysis.summaries if item.dataset not in studied],
        [item for item in analysis.comparisons if item.dataset not in studied or item.arm.role == "control"],
    )


def with_controls(studies: Sequence[Study], analysis: Analysis) -> list[Study]:
    """Studies with a note at their times where the baseline, run once more, differs from itself in time.

    Args:
        studies: All studies.
        analysis: All comparisons.
    """
    found = []
    for study in studies:
        timed = any(item.quantity.endswith(_OF_TIME) for item in study.findings)
        notes = [
            f"{item.arm.arm} took {number(item.time)} of the time of {item.baseline.arm}, which has the same settings:"
            " times and their ratios are not to be trusted."
            for item in analysis.comparisons
            if timed and item.dataset == study.dataset and baseline_drifted(item)
        ]
        found.append(replace(study, notes=(*study.notes, *notes)))
    return found
