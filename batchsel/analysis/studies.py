"""All studies that records hold, each answered in its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis import batch_sizes_study, budgets_study, factorial_study
from batchsel.analysis.comparison import Analysis
from batchsel.analysis.study import Study, parts

KINDS = {"factorial": factorial_study.study, "batch_sizes": batch_sizes_study.study, "budgets": budgets_study.study}
"""The kinds that an [analysis] table of a card may name, and what answers them."""


def studies(records: Sequence[Mapping[str, Any]]) -> list[Study]:
    """The answers, in the order of the data sets.

    Args:
        records: Of any number of experiments; plain comparisons among them are passed over.

    Example:
        >>> studies([])
        []
    """
    found = [answer(part) for kind, answer in KINDS.items() for part in parts(records, kind)]
    order = list(dict.fromkeys(record["spec"]["dataset"] for record in records))
    return sorted(found, key=lambda item: order.index(item.dataset))


def without_studied(analysis: Analysis, studies: Sequence[Study]) -> Analysis:
    """The comparisons of the data sets that are not those of a study.

    A study has a question of its own; that an arm of it is faster or slower than its baseline is a detail.

    Args:
        analysis: All comparisons.
        studies: All studies.
    """
    studied = {study.dataset for study in studies}
    return Analysis(
        [item for item in analysis.summaries if item.dataset not in studied],
        [item for item in analysis.comparisons if item.dataset not in studied],
    )
