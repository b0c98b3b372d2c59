"""Factorial studies of factors with two levels: main effects and interactions, as contrasts within seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.final_metrics import final_metrics, missing_finals, study_unit
from batchsel.analysis.outcomes import Outcome, on_unlike_devices, outcome
from batchsel.analysis.stats import estimates, significance
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.study_parts import StudyPart, base_level, settings_conflict
from batchsel.experiments.run.run_record import RunRecord

Combination = tuple[int, ...]
"""Level of each factor: 0 for its base level, 1 for the other."""
Values = Mapping[int, Mapping[Combination, float]]
"""A value by seed and combination; every seed has all combinations."""


class Factor(NamedTuple):
    """Factor with two levels."""

    name: str
    base: str
    other: str

    @property
    def label(self) -> str:
        """Name of the other level: the factor's name where it is switched on.

        Example:
            >>> Factor("blur", "off", "on").label, Factor("selector", "random", "smart").label
            ('blur', 'selector smart')
        """
        return self.name if (self.base, self.other) == ("off", "on") else f"{self.name} {self.other}"


class Effect(NamedTuple):
    """Effect of one factor, or of several beyond the sum of their single effects."""

    factors: tuple[str, ...]
    """Labels of the factors: one for a main effect, several for an interaction."""
    estimate: Estimate
    p: float
    p_holm: float


class Factorial(NamedTuple):
    """Combinations of the factors' levels in a part of a study, and the effects."""

    factors: tuple[Factor, ...]
    values: Values
    """Final metric, in its unit, of the seeds that have all combinations."""
    combinations: dict[Combination, list[float]]
    """Final metric of all runs of a combination."""
    effects: list[Effect]
    """Effects on the final metric; empty unless a seed has all combinations."""
    simple: dict[Combination, Estimate]
    """Difference of each combination from that with all factors at their base, paired by seed."""
    ratios: dict[str, list[Effect]]
    """Effects on "samples" and "time" to the target, as ratios, where all runs reached it."""
    missing: str
    """Reason why there are no ratios, or no effects; empty if there are."""


def contrast(values: Mapping[Combination, float], positions: Sequence[int]) -> float:
    """Compute an effect from one number for each combination.

    For one factor it is the mean difference between its levels, over the levels of the others; for two it is what
    both together change beyond the sum of what each changes alone, (11 - 10) - (01 - 00).

    Source: R. A. Fisher, *The Design of Experiments* (1935), chapter VI.

    Args:
        values: A number for each of the 2^k combinations.
        positions: Positions of the factors of the effect.

    Example:
        >>> values = {(0, 0): 1.0, (1, 0): 3.0, (0, 1): 4.0, (1, 1): 10.0}
        >>> contrast(values, [0]), contrast(values, [1]), contrast(values, [0, 1])
        (4.0, 5.0, 4.0)
    """
    count = len(next(iter(values)))
    total = sum(value * math.prod(1 if levels[i] else -1 for i in positions) for levels, value in values.items())
    return total / 2 ** (count - len(positions))


def effects(values: Values, labels: Sequence[str], ratio: bool = False) -> list[Effect]:
    """Estimate all main effects and interactions, with p-values corrected for their number.

    Args:
        values: One number for each seed and combination; logarithms if `ratio`.
        labels: Labels of the factors.
        ratio: True to report effects as ratios.
    """
    found = []
    for size in range(1, len(labels) + 1):
        for positions in itertools.combinations(range(len(labels)), size):
            each = [contrast(row, positions) for row in values.values()]
            estimate = estimates.ratio(each) if ratio else estimates.over_seeds(each)
            found.append(Effect(tuple(labels[i] for i in positions), estimate, significance.sign_flip(each), 1.0))
    corrected = significance.holm([effect.p for effect in found])
    return [effect._replace(p_holm=p) for effect, p in zip(found, corrected, strict=True)]


def factorial(part: StudyPart) -> Factorial | str:
    """Estimate the effects in a part of a study.

    The [analysis] table may state "factors" (by default all that the arms have levels of, except those of "within").
    The base level is "off", else that of the baseline.

    Args:
        part: The part; controls in it are left out.

    Returns:
        The effects, or the reason why there are none.
    """
    runs = [record for record in part.records if record.arm.role != "control"]
    factors = _factors(runs, part.analysis, part.where)
    if isinstance(factors, str):
        return factors
    runs = [record for record in runs if all(record.arm.level(factor.name) for factor in factors)]
    combinations = [_combination(record, factors) for record in runs]
    problem = missing_finals(runs) or settings_conflict(_group_runs(runs, combinations, factors))
    if problem:
        return problem
    table: dict[int, dict[Combination, float]] = {}
    known: dict[Combination, list[float]] = {levels: [] for levels in itertools.product((0, 1), repeat=len(factors))}
    finals = final_metrics(runs, study_unit(runs, part.analysis))
    for record, levels, value in zip(runs, combinations, finals, strict=True):
        if value is not None:
            table.setdefault(record.spec.seed, {})[levels] = value
            known[levels].append(value)
    complete = {seed: row for seed, row in sorted(table.items()) if len(row) == len(known)}
    if not complete:
        absent = [" and ".join(level_names(levels, factors)) for levels, values in known.items() if not values]
        problem = f"there is no run with {'; '.join(absent)}" if absent else "no seed has all combinations"
        return Factorial(factors, {}, known, [], {}, {}, problem)
    labels = [factor.label for factor in factors]
    ratios, missing = _ratios(runs, combinations, complete, labels)
    return Factorial(factors, complete, known, effects(complete, labels), _simple(complete), ratios, missing)


def level_names(combination: Combination, factors: Sequence[Factor]) -> tuple[str, ...]:
    """Return the names of a combination's levels.

    Example:
        >>> level_names((1, 0), [Factor("lerac", "off", "on"), Factor("blur", "off", "on")])
        ('lerac on', 'blur off')
    """
    return tuple(
        f"{factor.name} {factor.other if on else factor.base}" for on, factor in zip(combination, factors, strict=True)
    )


def _factors(
    runs: Sequence[RunRecord], analysis: Mapping[str, Any], where: Mapping[str, str]
) -> tuple[Factor, ...] | str:
    names = analysis.get("factors") or list(dict.fromkeys(key for run in runs for key in run.arm.levels))
    factors = []
    for name in names:
        levels = [level for level in dict.fromkeys(run.arm.level(name) for run in runs) if level is not None]
        if name in where:
            continue
        if len(levels) > 2:
            return f"the factor {name} has {len(levels)} levels ({', '.join(levels)}), and a 2 × 2 has two"
        if len(levels) < 2:
            return (
                f"the factor {name} has runs at only one level ({' '.join(levels)})"
                if levels
                else f"no run has a level of the factor {name}"
            )
        base = base_level(runs, name) or levels[0]
        factors.append(Factor(name, base, next(level for level in levels if level != base)))
    return tuple(factors) or "its arms state no levels of factors"


def _combination(record: RunRecord, factors: Sequence[Factor]) -> Combination:
    return tuple(int(record.arm.level(factor.name) == factor.other) for factor in factors)


def _group_runs(
    runs: Sequence[RunRecord], combinations: Sequence[Combination], factors: Sequence[Factor]
) -> dict[str, list[RunRecord]]:
    groups: dict[str, list[RunRecord]] = {}
    for run, levels in zip(runs, combinations, strict=True):
        groups.setdefault(" and ".join(level_names(levels, factors)), []).append(run)
    return groups


def _simple(values: Values) -> dict[Combination, Estimate]:
    first = next(iter(values.values()))
    base = (0,) * len(next(iter(first)))
    each = {levels: [row[levels] - row[base] for row in values.values()] for levels in sorted(first) if any(levels)}
    return {levels: estimates.over_seeds(differences) for levels, differences in each.items()}


def _ratios(
    runs: Sequence[RunRecord], combinations: Sequence[Combination], complete: Values, labels: Sequence[str]
) -> tuple[dict[str, list[Effect]], str]:
    """Estimate effects on samples and time to the target; without runs that missed it they would mislead."""
    by_seed: dict[int, dict[Combination, Outcome]] = {}
    for record, levels in zip(runs, combinations, strict=True):
        if record.spec.seed in complete:
            by_seed.setdefault(record.spec.seed, {})[levels] = outcome(record)
    outcomes = [item for row in by_seed.values() for item in row.values()]
    missed = sum(not item.reached for item in outcomes)
    if missed:
        return {}, (
            f"{missed} of {len(outcomes)} runs missed {outcomes[0].record.spec.target}: what they would have"
            " needed is not known, so no effects on samples and time are given"
        )
    ratios = {"samples": effects(_logs(by_seed, "samples"), labels, ratio=True)}
    alike = not any(on_unlike_devices(item.record for item in row.values()) for row in by_seed.values())
    if alike and all(item.timed for item in outcomes):
        ratios["time"] = effects(_logs(by_seed, "seconds"), labels, ratio=True)
        return ratios, ""
    return ratios, "runs shared the device, or took place on unlike ones, so no effects on time are given"


def _logs(by_seed: Mapping[int, Mapping[Combination, Outcome]], name: str) -> dict[int, dict[Combination, float]]:
    return {
        seed: {levels: math.log(max(getattr(item, name), 1e-9)) for levels, item in row.items()}
        for seed, row in by_seed.items()
    }
