"""The answer of a factorial study: a sentence about the interaction, and the tables that it was read from."""

from __future__ import annotations

from collections.abc import Sequence

from batchsel.analysis.final_metrics import Unit, asked_of
from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import FEWEST
from batchsel.analysis.studies.factorial import Cell, Effect, Factor, Factorial, factorial, levels_of
from batchsel.analysis.studies.study import (
    ONE_SEED,
    Finding,
    Study,
    Table,
    answered,
    basis,
    failed,
    significant,
    verdict,
    weak,
)
from batchsel.analysis.studies.study_parts import Part, level_of
from batchsel.analysis.verdict import number


def study(part: Part) -> Study:
    """The study of a part.

    Args:
        part: Its records.
    """
    found, unit = factorial(part), asked_of(part.records, part.analysis)
    if isinstance(found, str):
        return answered(part, 0, f"no answer yet: {found}", failed(part.failures))
    if not found.values:
        return answered(part, 0, f"no answer yet: {found.missing}", _failed(found, part), [_cells(found, unit)])
    notes, tables = [*_failed(found, part), *_notes(found)], [_cells(found, unit), _effects(found, unit)]
    return answered(part, len(found.values), _sentence(found, unit), notes, tables, _findings(found, unit))


def _sentence(found: Factorial, unit: Unit) -> str:
    seeds = len(found.values)
    words = [factor.word for factor in found.factors]
    rests = basis(found.effects[-1].estimate, seeds)
    if len(words) == 1:
        (effect,) = found.effects
        told = f"{words[0]} gave {unit.difference(effect.estimate)} ({rests}){_judged(effect)}"
    elif len(words) == 2:
        alone = [f"{word} alone {unit.tell(found.simple[cell], True)}" for word, cell in _alone(words)]
        effect = found.effects[-1]
        told = (
            f"{words[0]} and {words[1]} together gave {unit.difference(effect.estimate)} beyond the sum of their single"
            f" effects (interaction; {rests}){_judged(effect)}; against neither, {', '.join(alone)},"
            f" both {unit.tell(found.simple[(1, 1)], True)}"
        )
    else:
        told = _many(found, unit, seeds)
    return f"{told}{f'; {ONE_SEED}' if seeds == 1 else ''}"


def _many(found: Factorial, unit: Unit, seeds: int) -> str:
    interactions = [effect for effect in found.effects if len(effect.factors) > 1]
    if all(effect.estimate.low is None for effect in interactions):
        told = [f"{_name(effect)} {unit.difference(effect.estimate)}" for effect in interactions]
        return f"interactions ({basis(interactions[0].estimate, seeds)}): {', '.join(told)}"
    known = [effect for effect in interactions if significant(effect.estimate, effect.p_holm)]
    rests = f"p at most 0.05 after Holm, {seeds} seeds"
    if not known:
        return f"none of the {len(interactions)} interactions is distinguishable from none ({rests})"
    told = [f"{_name(effect)} {unit.difference(effect.estimate)}" for effect in known]
    return f"of {len(interactions)} interactions distinguishable from none ({rests}): {', '.join(told)}"


def _alone(words: Sequence[str]) -> list[tuple[str, Cell]]:
    return [(word, tuple(int(i == place) for i in range(len(words)))) for place, word in enumerate(words)]


def _judged(effect: Effect) -> str:
    words = verdict(effect.estimate, effect.p_holm, "none")
    return f": {words}" if words else ""


def _failed(found: Factorial, part: Part) -> list[str]:
    """A note on runs of its cells that failed."""
    runs = [item for item in part.failures if item["arm"]["role"] != "control"]
    levels = {factor.name: (factor.base, factor.other) for factor in found.factors}
    return failed([run for run in runs if all(level_of(run, name) in of for name, of in levels.items())])


def _notes(found: Factorial) -> list[str]:
    seeds, notes = len(found.values), []
    runs = sum(len(values) for values in found.cells.values())
    used = seeds * len(found.cells)
    if runs > used:
        notes.append(
            f"{runs - used} runs of seeds that lack a combination are not among the effects: those are differences"
            " within seeds."
        )
    for effect in found.effects:
        notes += weak(_name(effect), effect.estimate, effect.p_holm, len(found.effects), seeds)
    if found.missing:
        notes.append(f"{found.missing}.")
    return notes


def _cells(found: Factorial, unit: Unit) -> Table:
    head = (*(factor.name for factor in found.factors), "runs", unit.axis, "against none of them")
    rows = []
    for cell, values in found.cells.items():
        mean = unit.tell(estimates.over_seeds(values)) if values else "–"
        simple = found.simple.get(cell)
        rows.append((*_names(cell, found.factors), str(len(values)), mean, unit.tell(simple, True) if simple else "–"))
    words = (
        f"Means over seeds{' with 95 % intervals' if len(found.values) >= FEWEST else ''}; differences are paired by"
        f" seed{', in points' if unit.name else ''}."
    )
    return Table("Combinations", head, rows, words)


def _names(cell: Cell, factors: Sequence[Factor]) -> tuple[str, ...]:
    return tuple(factor.other if on else factor.base for on, factor in zip(cell, factors, strict=True))


def _effects(found: Factorial, unit: Unit) -> Table:
    head: tuple[str, ...] = ("effect", f"on {unit.metric}" + (", points" if unit.name else ""))
    several = len(found.values) >= FEWEST
    head += (("p", "p (Holm)") if several else ()) + tuple(f"{name} to target, ratio" for name in found.ratios)
    rows = []
    for place, effect in enumerate(found.effects):
        tested = (f"{effect.p:.2g}", f"{effect.p_holm:.2g}") if several else ()
        ratios = (number(of[place].estimate) for of in found.ratios.values())
        rows.append((_name(effect), unit.tell(effect.estimate, True), *tested, *ratios))
    words = (
        "A main effect is the mean difference between the levels of a factor over those of the others; an interaction"
        " (×) is what several bring together beyond the sum of what each brings by itself."
    )
    if several:
        words += (
            f" In brackets 95 % intervals over {len(found.values)} paired seeds; p by sign flips, corrected for all"
            " effects on the metric by Holm."
        )
    if found.ratios:
        words += (
            " Ratios below 1 are less samples or time; that of an interaction is over the product of the single ones."
        )
    return Table("Effects", head, rows, words)


def _name(effect: Effect) -> str:
    return " × ".join(effect.factors)


def _findings(found: Factorial, unit: Unit) -> tuple[Finding, ...]:
    seeds = len(found.values)
    made = [_finding(effect, f"on {unit.metric}", unit.name, seeds) for effect in found.effects]
    for name, of in found.ratios.items():
        made += [_finding(effect, f"on {name} to target", "ratio", seeds) for effect in of]
    for cell, estimate in found.simple.items():
        item = " and ".join(factor.word for on, factor in zip(cell, found.factors, strict=True) if on)
        made.append(Finding(item, f"difference of {unit.metric} to none of them", unit.name, estimate, seeds))
    for cell, values in found.cells.items():
        if values:
            item = ", ".join(levels_of(cell, found.factors))
            made.append(Finding(item, f"test {unit.metric}", unit.whole, estimates.over_seeds(values), len(values)))
    return tuple(made)


def _finding(effect: Effect, on: str, unit: str, seeds: int) -> Finding:
    kind = "main effect" if len(effect.factors) == 1 else "interaction"
    tested = (effect.p, effect.p_holm) if seeds >= FEWEST else (None, None)
    return Finding(_name(effect), f"{kind} {on}", unit, effect.estimate, seeds, *tested)
