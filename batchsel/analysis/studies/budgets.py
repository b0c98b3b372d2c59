"""Compare full data, pruned data, and full data cut to as many samples: the gains and savings of pruning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from batchsel.analysis.final_metrics import MetricUnit, final_metrics, missing_finals, study_unit
from batchsel.analysis.outcomes import seconds_count
from batchsel.analysis.stats import estimates, significance
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.study_parts import StudyPart, settings_conflict
from batchsel.experiments.run.run_record import RunRecord

ROLES = ("full", "pruned", "short")
"""Roles of the arms: all data for the whole budget, pruned data, and all data for as many samples as pruned data."""
PAIRS = (("pruned", "short"), ("pruned", "full"), ("short", "full"))
_EQUAL = 0.02
"""Numbers of samples that differ by more than this share are not equal."""


class Difference(NamedTuple):
    """Difference between two roles, left less right, paired by seed."""

    left: str
    right: str
    n: int
    final: Estimate
    """Difference of the final metric, in its unit."""
    samples: Estimate
    """Ratio of samples trained on."""
    seconds: Estimate | None
    """Ratio of the seconds of training; None if they cannot be compared."""
    p: float
    p_holm: float


class Budgets(NamedTuple):
    """Results of a study of budgets."""

    unit: MetricUnit
    names: dict[str, str]
    """Arm, or level, of each of `ROLES`."""
    finals: dict[str, dict[int, float]]
    """Final metric by role and seed, in its unit."""
    differences: dict[tuple[str, str], Difference]
    """Difference of each of `PAIRS` that share a seed."""
    margin: float | None
    """Largest loss that counts as not inferior, in the unit; None if the card states none."""

    @property
    def equal(self) -> bool:
        """True if pruned and short were trained on equally many samples."""
        difference = self.differences.get(("pruned", "short"))
        return difference is None or abs(difference.samples.value - 1) <= _EQUAL


def budgets(part: StudyPart) -> Budgets | str:
    """Estimate the differences in a part of a study.

    The [analysis] table may state "factor" (by default the arm's name), which level of it is "full", "pruned" and
    "short", and the margin "points".

    Args:
        part: The part; a control may be the short one.

    Returns:
        The differences, or the reason why there are none.
    """
    factor, unit = part.analysis.get("factor", "arm"), study_unit(part.records, part.analysis)
    names = {role: str(part.analysis.get(role, role)) for role in ROLES}
    runs = [record for record in part.records if record.arm.level(factor) in names.values()]
    known = {record.arm.level(factor) for record in runs}
    absent = [name for name in names.values() if name not in known]
    if absent:
        return f"there is no run of {' or '.join(absent)}"
    by_name = {name: [run for run in runs if run.arm.level(factor) == name] for name in names.values()}
    problem = missing_finals(runs) or settings_conflict(by_name)
    if problem:
        return problem
    role_of = {name: role for role, name in names.items()}
    table: dict[str, dict[int, RunRecord]] = {role: {} for role in ROLES}
    values: dict[str, dict[int, float]] = {role: {} for role in ROLES}
    for record, value in zip(runs, final_metrics(runs, unit), strict=True):
        if value is not None:
            role, seed = role_of[str(record.arm.level(factor))], record.spec.seed
            table[role][seed], values[role][seed] = record, value
    differences = {
        (left, right): _difference(left, right, table, values)
        for left, right in PAIRS
        if set(table[left]) & set(table[right])
    }
    corrected = significance.holm([item.p for item in differences.values()])
    differences = {
        pair: item._replace(p_holm=p) for (pair, item), p in zip(differences.items(), corrected, strict=True)
    }
    points = part.analysis.get("points")
    return Budgets(unit, names, values, differences, None if points is None else float(points))


def not_inferior(difference: Estimate, margin: float, rising: bool) -> bool | None:
    """Test whether a difference is not worse than a margin.

    Source: G. Piaggio and others, *Reporting of Noninferiority and Equivalence Randomized Trials*, JAMA 308 (2012).

    Args:
        difference: New less old.
        margin: Largest loss that is accepted.
        rising: True if more is better.

    Returns:
        True if the whole interval is on the good side of the margin, False if it is on the other, else None.

    Example:
        >>> not_inferior(Estimate(-0.2, -0.8, 0.4), 1.0, rising=True)
        True
    """
    if difference.low is None or difference.high is None:
        return None
    low, high = (difference.low, difference.high) if rising else (-difference.high, -difference.low)
    return True if low > -margin else False if high < -margin else None


def _difference(
    left: str,
    right: str,
    table: Mapping[str, Mapping[int, RunRecord]],
    values: Mapping[str, Mapping[int, float]],
) -> Difference:
    seeds = sorted(set(table[left]) & set(table[right]))
    runs = [(table[left][seed], table[right][seed]) for seed in seeds]
    each = [values[left][seed] - values[right][seed] for seed in seeds]
    timed = all(seconds_count(pair) and not any(record.arm.control_of for record in pair) for pair in runs)
    return Difference(
        left=left,
        right=right,
        n=len(seeds),
        final=estimates.over_seeds(each),
        samples=_ratio([(a.counts.samples, b.counts.samples) for a, b in runs]),
        seconds=_ratio([(a.seconds.training, b.seconds.training) for a, b in runs]) if timed else None,
        p=significance.sign_flip(each),
        p_holm=1.0,
    )


def _ratio(pairs: Sequence[tuple[float, float]]) -> Estimate:
    logs = [math.log(max(left, 1e-9) / max(right, 1e-9)) for left, right in pairs]
    return estimates.ratio(logs)
