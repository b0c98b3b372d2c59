"""Two levels of two or more factors: main effects and interactions, as contrasts within seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.final_metrics import asked_of, finals, lacking
from batchsel.analysis.outcomes import Outcome, outcome
from batchsel.analysis.stats import estimates, significance
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.study_parts import Part, base_level, level_of, mixed

Cell = tuple[int, ...]
"""For each factor 0 for its base level and 1 for the other."""
Values = Mapping[int, Mapping[Cell, float]]
"""An outcome by seed and cell; every seed has all cells."""


class Factor(NamedTuple):
    """A factor of two levels."""

    name: str
    base: str
    other: str

    @property
    def word(self) -> str:
        """What the other level is called: the factor's name where it is switched on.

        Example:
            >>> Factor("blur", "off", "on").word, Factor("selector", "random", "smart").word
            ('blur', 'selector smart')
        """
        return self.name if (self.base, self.other) == ("off", "on") else f"{self.name} {self.other}"


class Effect(NamedTuple):
    """What a factor, or several beyond their sum, changed."""

    factors: tuple[str, ...]
    """Words of the factors; of one for a main effect, of more for an interaction."""
    estimate: Estimate
    p: float
    p_holm: float


class Factorial(NamedTuple):
    """The cells of a part and what they differ by."""

    factors: tuple[Factor, ...]
    values: Values
    """The final metric, in its unit, of the seeds that have all cells."""
    cells: dict[Cell, list[float]]
    """The final metric of all runs of a cell."""
    effects: list[Effect]
    """On the final metric; empty without a seed that has all cells."""
    simple: dict[Cell, Estimate]
    """Each cell less that where all factors are at their base, paired by seed."""
    ratios: dict[str, list[Effect]]
    """Effects as ratios on "samples" and "time" to the target, where all runs reached it."""
    missing: str
    """Why there are no ratios, or no effects; empty if there are."""


def contrast(cells: Mapping[Cell, float], chosen: Sequence[int]) -> float:
    """An effect out of one number a cell.

    Of one factor it is the mean difference between its levels over those of the others; of two it is what both
    together bring beyond the sum of what each brings alone, (11 - 10) - (01 - 00).

    Source: R. A. Fisher, *The Design of Experiments* (1935), chapter VI.

    Args:
        cells: A number of each of the 2^k cells.
        chosen: Positions of the factors.

    Example:
        >>> cells = {(0, 0): 1.0, (1, 0): 3.0, (0, 1): 4.0, (1, 1): 10.0}
        >>> contrast(cells, [0]), contrast(cells, [1]), contrast(cells, [0, 1])
        (4.0, 5.0, 4.0)
    """
    count = len(next(iter(cells)))
    total = sum(value * math.prod(1 if cell[i] else -1 for i in chosen) for cell, value in cells.items())
    return total / 2 ** (count - len(chosen))


def effects(values: Values, words: Sequence[str], ratio: bool = False) -> list[Effect]:
    """All main effects and interactions, with p-values corrected for their number.

    Args:
        values: One number a seed and cell; logarithms if `ratio`.
        words: The factors' words.
        ratio: Whether effects are to be told as ratios.
    """
    found = []
    for size in range(1, len(words) + 1):
        for chosen in itertools.combinations(range(len(words)), size):
            each = [contrast(cells, chosen) for cells in values.values()]
            estimate = estimates.supported(estimates.ratio(each), each) if ratio else estimates.over_seeds(each)
            found.append((tuple(words[i] for i in chosen), estimate, significance.sign_flip(each)))
    corrected = significance.holm([p for *_, p in found])
    return [Effect(*item, p_holm) for item, p_holm in zip(found, corrected, strict=True)]


def factorial(part: Part) -> Factorial | str:
    """The effects in a part.

    The [analysis] table may state "factors" (by default all that the arms have levels of, but those of "within").
    The base level is "off", else that of the baseline.

    Args:
        part: Records; controls in it are left out.

    Returns:
        The effects, or why there can be none.
    """
    runs = [record for record in part.records if record["arm"]["role"] != "control"]
    factors = _factors(runs, part.analysis, part.where)
    if isinstance(factors, str):
        return factors
    runs = [record for record in runs if all(level_of(record, factor.name) for factor in factors)]
    cells = [_cell(record, factors) for record in runs]
    why = lacking(runs) or mixed(_worded(runs, cells, factors))
    if why:
        return why
    table: dict[int, dict[Cell, float]] = {}
    known: dict[Cell, list[float]] = {cell: [] for cell in itertools.product((0, 1), repeat=len(factors))}
    for record, cell, value in zip(runs, cells, finals(runs, asked_of(runs, part.analysis)), strict=True):
        if value is not None:
            table.setdefault(record["spec"]["seed"], {})[cell] = value
            known[cell].append(value)
    whole = {seed: row for seed, row in sorted(table.items()) if len(row) == len(known)}
    if not whole:
        absent = [" and ".join(levels_of(cell, factors)) for cell, of in known.items() if not of]
        why = f"there is no run with {'; '.join(absent)}" if absent else "no seed has all combinations"
        return Factorial(factors, {}, known, [], {}, {}, why)
    words = [factor.word for factor in factors]
    ratios, missing = _ratios(runs, cells, whole, words)
    return Factorial(factors, whole, known, effects(whole, words), _simple(whole), ratios, missing)


def _factors(
    runs: Sequence[Mapping[str, Any]], analysis: Mapping[str, Any], where: Mapping[str, str]
) -> tuple[Factor, ...] | str:
    names = analysis.get("factors") or list(
        dict.fromkeys(key for run in runs for key in run["arm"].get("levels") or {})
    )
    found = []
    for name in names:
        levels = list(dict.fromkeys(level_of(run, name) for run in runs))
        levels = [level for level in levels if level is not None]
        if name in where:
            continue
        if len(levels) > 2:
            return f"the factor {name} has {len(levels)} levels ({', '.join(levels)}), and a 2 × 2 has two"
        if len(levels) < 2:
            return f"of the factor {name} only {' '.join(levels) or 'nothing'} has been run"
        base = base_level(runs, name) or levels[0]
        found.append(Factor(name, base, next(level for level in levels if level != base)))
    return tuple(found) or "its arms state no levels of factors"


def _cell(record: Mapping[str, Any], factors: Sequence[Factor]) -> Cell:
    return tuple(int(level_of(record, factor.name) == factor.other) for factor in factors)


def _worded(
    runs: Sequence[Mapping[str, Any]], cells: Sequence[Cell], factors: Sequence[Factor]
) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for run, cell in zip(runs, cells, strict=True):
        found.setdefault(" and ".join(levels_of(cell, factors)), []).append(run)
    return found


def levels_of(cell: Cell, factors: Sequence[Factor]) -> tuple[str, ...]:
    """The levels of a cell in words.

    Args:
        cell: The cell.
        factors: The factors.

    Example:
        >>> levels_of((1, 0), [Factor("lerac", "off", "on"), Factor("blur", "off", "on")])
        ('lerac on', 'blur off')
    """
    return tuple(f"{of.name} {of.other if on else of.base}" for on, of in zip(cell, factors, strict=True))


def _simple(values: Values) -> dict[Cell, Estimate]:
    first = next(iter(values.values()))
    base = (0,) * len(next(iter(first)))
    each = {cell: [row[cell] - row[base] for row in values.values()] for cell in sorted(first) if any(cell)}
    return {cell: estimates.over_seeds(of) for cell, of in each.items()}


def _ratios(
    runs: Sequence[Mapping[str, Any]], cells: Sequence[Cell], whole: Values, words: Sequence[str]
) -> tuple[dict[str, list[Effect]], str]:
    """Effects on what it takes to the target; to drop a run that missed it would mislead."""
    found: dict[int, dict[Cell, Outcome]] = {}
    for record, cell in zip(runs, cells, strict=True):
        if record["spec"]["seed"] in whole:
            found.setdefault(record["spec"]["seed"], {})[cell] = outcome(record)
    outcomes = [item for row in found.values() for item in row.values()]
    missed = sum(not item.reached for item in outcomes)
    if missed:
        return {}, (
            f"{missed} of {len(outcomes)} runs missed {outcomes[0].record['spec']['target']}: what they would have"
            " needed is not known, so no effects on samples and time are given"
        )
    made = {"samples": effects(_logs(found, "samples"), words, ratio=True)}
    if all(item.timed for item in outcomes):
        made["time"] = effects(_logs(found, "seconds"), words, ratio=True)
    return made, "" if "time" in made else "runs shared the device, so no effects on time are given"


def _logs(found: Mapping[int, Mapping[Cell, Outcome]], name: str) -> dict[int, dict[Cell, float]]:
    return {
        seed: {cell: math.log(max(getattr(item, name), 1e-9)) for cell, item in row.items()}
        for seed, row in found.items()
    }
