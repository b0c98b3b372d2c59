"""Compare arms at equal final metrics: each with several budgets, and a schedule that ends with each of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from batchsel.analysis.final_metrics import MetricUnit, final_metrics, missing_finals, study_unit
from batchsel.analysis.outcomes import seconds_count
from batchsel.analysis.stats import significance
from batchsel.analysis.studies.budget_ratio import BudgetRatio, EndOfRun, budget_ratio
from batchsel.analysis.studies.study_parts import StudyPart, base_level, settings_conflict
from batchsel.experiments.run.run_record import RunRecord

CONTROL = "random, schedule of {}"
"""Name of the control of an arm that prunes: as many samples in each pass, chosen at random."""

_CONSTANT = ("constant", "constant()")


class Point(NamedTuple):
    """Runs of an arm with one budget."""

    records: dict[int, RunRecord]
    """By seed."""
    finals: dict[int, float]
    """Final metric by seed, in the unit of the study."""


class Ratios(NamedTuple):
    """Ratios of an arm to the baseline."""

    samples: BudgetRatio | None
    seconds: BudgetRatio | None
    """None if seconds cannot be compared, too."""
    p_holm: float


class Horizons(NamedTuple):
    """Results of a study of horizons."""

    unit: MetricUnit
    base: str
    points: dict[str, dict[str, Point]]
    """By arm, the baseline first, and by budget as it was stated, ascending."""
    ratios: dict[str, Ratios]
    """By arm; without the baseline."""
    constant: bool
    """True if a run's rate did not fall: then shorter runs are parts of longer ones."""


def horizons(part: StudyPart) -> Horizons | str:
    """Estimate the ratios of budgets in a part of a study.

    The [analysis] table may state "factor", whose levels are the arms ("selector" by default), "budget", the factor
    whose levels are budgets ("budget" by default), and "base", the level that the others are compared with.

    Args:
        part: The part.

    Returns:
        The ratios, or the reason why there are none.
    """
    factor, budget = part.analysis.get("factor", "selector"), part.analysis.get("budget", "budget")
    unit = study_unit(part.records, part.analysis)
    base = base_level([run for run in part.records if run.arm.role != "control"], factor, part.analysis.get("base"))
    names = {id(run): _series(run, factor) for run in part.records}
    runs = [run for run in part.records if names[id(run)] is not None and run.arm.level(budget) is not None]
    if base is None or not runs:
        return f"there is no run with a level of {factor} and of {budget}"
    cells: dict[str, list[RunRecord]] = {}
    for run in runs:
        cells.setdefault(f"{names[id(run)]}, {run.arm.level(budget)}", []).append(run)
    problem = missing_finals(runs) or settings_conflict(cells)
    if problem:
        return problem
    points: dict[str, dict[str, Point]] = {base: {}}
    for run, value in zip(runs, final_metrics(runs, unit), strict=True):
        if value is not None:
            arm = points.setdefault(str(names[id(run)]), {})
            point = arm.setdefault(str(run.arm.level(budget)), Point({}, {}))
            point.records[run.spec.seed], point.finals[run.spec.seed] = run, value
    points = {arm: _ascending(by_budget) for arm, by_budget in points.items()}
    if len(points[base]) < 2:
        return f"{base} needs runs with two budgets or more"
    others = [arm for arm, by_budget in points.items() if arm != base and len(by_budget) > 1]
    if not others:
        return f"there is no arm beside {base} with two budgets or more"
    found = {arm: _ratios(points[base], points[arm], unit) for arm in others}
    tested = [arm for arm in others if found[arm].samples is not None]
    corrected = significance.holm([found[arm].samples.p for arm in tested])  # type: ignore[union-attr]
    found |= {arm: found[arm]._replace(p_holm=p) for arm, p in zip(tested, corrected, strict=True)}
    constant = any(run.spec.values.get("schedule") in _CONSTANT for run in runs)
    return Horizons(unit, base, points, found, constant)


def is_timed(point: Point) -> bool:
    """Return True if the seconds of all runs of an arm with one budget can be compared with others."""
    return seconds_count(point.records.values()) and all(run.arm.role != "control" for run in point.records.values())


def mean_samples(point: Point) -> float:
    """Return the mean number of samples trained on."""
    return sum(run.counts.samples for run in point.records.values()) / len(point.records)


def _series(run: RunRecord, factor: str) -> str | None:
    """Return the arm that a run is one of; None for controls that have no horizons."""
    level = run.arm.level(factor)
    if run.arm.role != "control":
        return level
    is_scheduled = re.match(CONTROL.format(""), run.arm.name) is not None
    return CONTROL.format(level) if is_scheduled and level is not None else None


def _ascending(by_budget: dict[str, Point]) -> dict[str, Point]:
    return dict(sorted(by_budget.items(), key=lambda item: mean_samples(item[1])))


def _ratios(base: dict[str, Point], arm: dict[str, Point], unit: MetricUnit) -> Ratios:
    def ratio(used: Callable[[RunRecord], float]) -> BudgetRatio | None:
        return budget_ratio(_ends(base, unit, used), _ends(arm, unit, used))

    samples = ratio(lambda run: run.counts.samples)
    points = [point for by_budget in (base, arm) for point in by_budget.values()]
    timed = all(map(is_timed, points)) and seconds_count(run for point in points for run in point.records.values())
    seconds = ratio(lambda run: run.seconds.training) if timed else None
    return Ratios(samples, seconds, 1.0 if samples is None else samples.p)


def _ends(
    by_budget: dict[str, Point], unit: MetricUnit, used: Callable[[RunRecord], float]
) -> dict[str, dict[int, EndOfRun]]:
    """Return what each run of an arm used up, and its final metric, the larger the better."""
    sign = 1 if unit.rising else -1
    return {
        budget: {
            seed: EndOfRun(max(float(used(point.records[seed])), 1e-9), sign * final)
            for seed, final in point.finals.items()
        }
        for budget, point in by_budget.items()
    }
