"""Full data against pruned data against full data cut to as many samples: what pruning adds, and what it saves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.final_metrics import Unit, asked_of, finals, lacking
from batchsel.analysis.stats import estimates, significance
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.study_parts import Part, level_of, mixed

ROLES = ("full", "pruned", "short")
"""What the arms are: all data for the whole budget, pruned data, all data for as many samples as the pruned took."""
PAIRS = (("pruned", "short"), ("pruned", "full"), ("short", "full"))
_EQUAL = 0.02
"""Samples that differ by more than this share are not equal samples."""


class Difference(NamedTuple):
    """One way of training less another, paired by seed."""

    left: str
    right: str
    """Of `ROLES`."""
    n: int
    final: Estimate
    """In the metric's unit."""
    samples: Estimate
    """Ratio of samples trained on."""
    seconds: Estimate | None
    """Ratio of seconds of training; None if they cannot be compared."""
    p: float
    p_holm: float


class Budgets(NamedTuple):
    """What a study of budgets says."""

    unit: Unit
    names: dict[str, str]
    """The arm, or level, of each of `ROLES`."""
    finals: dict[str, dict[int, float]]
    """Final metric by role and seed, in its unit."""
    differences: dict[tuple[str, str], Difference]
    """Of `PAIRS`, those that share a seed."""
    margin: float | None
    """How much worse still counts as not inferior, in the unit; None if the card states nothing."""

    @property
    def equal(self) -> bool:
        """Whether pruned and short were trained on equally many samples."""
        found = self.differences.get(("pruned", "short"))
        return found is None or abs(found.samples.value - 1) <= _EQUAL


def budgets(part: Part) -> Budgets | str:
    """The differences in a part.

    The [analysis] table may state "factor" (by default the arm's name), which level of it is "full", "pruned" and
    "short", and the margin "points".

    Args:
        part: Records; a control may be the short one.

    Returns:
        The differences, or why there are none.
    """
    factor, unit = part.analysis.get("factor", "arm"), asked_of(part.records, part.analysis)
    names = {role: str(part.analysis.get(role, role)) for role in ROLES}
    runs = [record for record in part.records if level_of(record, factor) in names.values()]
    known = {level_of(record, factor) for record in runs}
    absent = [name for name in names.values() if name not in known]
    if absent:
        return f"there is no run of {' or '.join(absent)}"
    of_role = {name: [run for run in runs if level_of(run, factor) == name] for name in names.values()}
    why = lacking(runs) or mixed(of_role)
    if why:
        return why
    role_of = {name: role for role, name in names.items()}
    table: dict[str, dict[int, Mapping[str, Any]]] = {role: {} for role in ROLES}
    values: dict[str, dict[int, float]] = {role: {} for role in ROLES}
    for record, value in zip(runs, finals(runs, unit), strict=True):
        if value is not None:
            role, seed = role_of[str(level_of(record, factor))], record["spec"]["seed"]
            table[role][seed], values[role][seed] = record, value
    found = {pair: _difference(pair, table, values) for pair in PAIRS if set(table[pair[0]]) & set(table[pair[1]])}
    corrected = significance.holm([item.p for item in found.values()])
    found = {pair: item._replace(p_holm=p) for (pair, item), p in zip(found.items(), corrected, strict=True)}
    points = part.analysis.get("points")
    return Budgets(unit, names, values, found, None if points is None else float(points))


def not_inferior(difference: Estimate, margin: float, rising: bool) -> bool | None:
    """Whether a difference is shown to be no worse than a margin.

    Source: G. Piaggio and others, *Reporting of Noninferiority and Equivalence Randomized Trials*, JAMA 308 (2012).

    Args:
        difference: New less old.
        margin: How much worse is still accepted.
        rising: Whether more is better.

    Returns:
        True if the whole interval is on the good side of the margin, False if all of it is beyond, else None.

    Example:
        >>> not_inferior(Estimate(-0.2, -0.8, 0.4), 1.0, rising=True)
        True
    """
    if difference.low is None or difference.high is None:
        return None
    low, high = (difference.low, difference.high) if rising else (-difference.high, -difference.low)
    return True if low > -margin else False if high < -margin else None


def _difference(
    pair: tuple[str, str],
    table: Mapping[str, Mapping[int, Mapping[str, Any]]],
    values: Mapping[str, Mapping[int, float]],
) -> Difference:
    left, right = pair
    seeds = sorted(set(table[left]) & set(table[right]))
    runs = [(table[left][seed], table[right][seed]) for seed in seeds]
    each = [values[left][seed] - values[right][seed] for seed in seeds]
    timed = not any(record["contended"] or record["arm"].get("control_of") for pair in runs for record in pair)
    return Difference(
        left=left,
        right=right,
        n=len(seeds),
        final=estimates.over_seeds(each),
        samples=_ratio(runs, lambda record: record["counts"]["samples"]),
        seconds=_ratio(runs, lambda record: record["seconds"]["training"]) if timed else None,
        p=significance.sign_flip(each),
        p_holm=1.0,
    )


def _ratio(
    runs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], of: Callable[[Mapping[str, Any]], float]
) -> Estimate:
    values = [math.log(max(of(left), 1e-9) / max(of(right), 1e-9)) for left, right in runs]
    return estimates.supported(estimates.ratio(values), values)
