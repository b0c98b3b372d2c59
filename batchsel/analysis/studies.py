"""All studies that records hold, each answered in its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis import batch_sizes_study, budgets_study, factorial_study
from batchsel.analysis.study import Study, analysis_of, parts

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


def is_studied(record: Mapping[str, Any]) -> bool:
    """Whether a record was made for a study, so that it is no answer by itself to "is the arm faster than random?".

    Args:
        record: The record.
    """
    return analysis_of(record).get("kind") in KINDS
