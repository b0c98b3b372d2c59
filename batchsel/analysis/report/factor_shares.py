"""Attribute the gain of a recipe to its factors: each rung compared with the one before."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.comparison import Comparison, analyze
from batchsel.experiments.run.run_record import FailureRecord, RunRecord


class FactorShare(NamedTuple):
    """The part of a gain that a factor has.

    Example:
        >>> FactorShare("batch size", {"batch_size": 64}, None, None).factor
        'batch size'
    """

    factor: str
    settings: Mapping[str, Any]
    """Settings that the rung changed, by name."""
    step: Comparison | None
    """The rung compared with the one before; None where the two share no seed."""
    total: Comparison | None
    """The rung compared with the first."""


def factor_shares(
    runs: Sequence[RunRecord],
    failures: Sequence[FailureRecord],
    settings: Mapping[str, Mapping[str, Any]],
) -> list[FactorShare]:
    """Return the share of each factor.

    Args:
        runs: Records of arms that are named for the rungs.
        failures: Records of runs that failed.
        settings: Settings of each rung in their order, the first as they were given.
    """
    names = list(settings)
    shares = []
    for before, name in itertools.pairwise(names):
        changed = {key: value for key, value in settings[name].items() if settings[before].get(key) != value}
        step, total = (_compare(runs, failures, other, name) for other in (before, names[0]))
        shares.append(FactorShare(name, changed, step, total))
    return shares


def _compare(runs: Sequence[RunRecord], failures: Sequence[FailureRecord], base: str, arm: str) -> Comparison | None:
    """Compare two arms as if there were no others."""

    def placed(record: Any) -> Any:
        role, against = ("baseline", "") if record.arm.name == base else ("arm", base)
        return dataclasses.replace(record, arm=dataclasses.replace(record.arm, role=role, against=against))

    two = [placed(run) for run in runs if run.arm.name in (base, arm)]
    failed = [placed(failure) for failure in failures if failure.arm.name in (base, arm)]
    comparisons = analyze(two, failures=failed).comparisons
    return comparisons[0] if comparisons else None
