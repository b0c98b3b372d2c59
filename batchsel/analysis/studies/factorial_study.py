"""Answer a factorial study: a sentence about the interaction, and the tables that it is read from."""

from __future__ import annotations

from collections.abc import Sequence

from batchsel.analysis.final_metrics import MetricUnit, study_unit
from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import FEWEST
from batchsel.analysis.studies.factorial import Combination, Effect, Factor, Factorial, factorial, level_names
from batchsel.analysis.studies.study import (
    ONE_SEED,
    Study,
    StudyEstimate,
    TextTable,
    basis,
    difference_verdict,
    failure_notes,
    make_study,
    significant,
    weak_evidence_notes,
)
from batchsel.analysis.studies.study_parts import StudyPart
from batchsel.analysis.verdict import format_ratio


def answer(part: StudyPart) -> Study:
    """Answer the study in one of its parts."""
    result, unit = factorial(part), study_unit(part.records, part.analysis)
    if isinstance(result, str):
        return make_study(part, 0, f"no answer yet: {result}", failure_notes(part.failures))
    if not result.values:
        return make_study(
            part,
            0,
            f"no answer yet: {result.missing}",
            _failure_notes(result, part),
            [_combination_table(result, unit)],
        )
    notes, tables = (
        [*_failure_notes(result, part), *_notes(result)],
        [_combination_table(result, unit), _effect_table(result, unit)],
    )
    return make_study(part, len(result.values), _sentence(result, unit), notes, tables, _estimates(result, unit))


def _sentence(result: Factorial, unit: MetricUnit) -> str:
    seeds = len(result.values)
    labels = [factor.label for factor in result.factors]
    evidence = basis(result.effects[-1].estimate, seeds)
    if len(labels) == 1:
        (effect,) = result.effects
        text = f"{labels[0]} gave {unit.difference(effect.estimate)} ({evidence}){_verdict_suffix(effect)}"
    elif len(labels) == 2:
        alone = [f"{label} alone {unit.format(result.simple[levels], True)}" for label, levels in _alone(labels)]
        effect = result.effects[-1]
        text = (
            f"{labels[0]} and {labels[1]} together gave {unit.difference(effect.estimate)} beyond the sum of their"
            f" single effects (interaction; {evidence}){_verdict_suffix(effect)};"
            f" against {_reference(result.factors, 'neither')}, {', '.join(alone)},"
            f" both {unit.format(result.simple[(1, 1)], True)}"
        )
    else:
        text = _many(result, unit, seeds)
    return f"{text}{f'; {ONE_SEED}' if seeds == 1 else ''}"


def _many(result: Factorial, unit: MetricUnit, seeds: int) -> str:
    interactions = [effect for effect in result.effects if len(effect.factors) > 1]
    if all(effect.estimate.low is None for effect in interactions):
        texts = [f"{_name(effect)} {unit.difference(effect.estimate)}" for effect in interactions]
        return f"interactions ({basis(interactions[0].estimate, seeds)}): {', '.join(texts)}"
    known = [effect for effect in interactions if significant(effect.estimate, effect.p_holm)]
    evidence = f"p at most 0.05 after Holm, {seeds} seeds"
    if not known:
        return f"none of the {len(interactions)} interactions is distinguishable from none ({evidence})"
    texts = [f"{_name(effect)} {unit.difference(effect.estimate)}" for effect in known]
    return f"of {len(interactions)} interactions distinguishable from none ({evidence}): {', '.join(texts)}"


def _alone(labels: Sequence[str]) -> list[tuple[str, Combination]]:
    return [(label, tuple(int(i == place) for i in range(len(labels)))) for place, label in enumerate(labels)]


def _verdict_suffix(effect: Effect) -> str:
    words = difference_verdict(effect.estimate, effect.p_holm, "none")
    return f": {words}" if words else ""


def _failure_notes(result: Factorial, part: StudyPart) -> list[str]:
    """Return a note on runs of the study's combinations that failed."""
    runs = [item for item in part.failures if item.arm.role != "control"]
    levels = {factor.name: (factor.base, factor.other) for factor in result.factors}
    return failure_notes([run for run in runs if all(run.arm.level(name) in both for name, both in levels.items())])


def _notes(result: Factorial) -> list[str]:
    seeds, notes = len(result.values), []
    runs = sum(len(values) for values in result.combinations.values())
    used = seeds * len(result.combinations)
    if runs > used:
        notes.append(
            f"{runs - used} runs of seeds that lack a combination are not among the effects: those are differences"
            " within seeds."
        )
    for effect in result.effects:
        notes += weak_evidence_notes(_name(effect), effect.estimate, effect.p_holm, len(result.effects), seeds)
    if result.missing:
        notes.append(f"{result.missing}.")
    return notes


def _combination_table(result: Factorial, unit: MetricUnit) -> TextTable:
    head = (*(factor.name for factor in result.factors), "runs", unit.axis, f"against {_reference(result.factors)}")
    rows = []
    for levels, values in result.combinations.items():
        mean = unit.format(estimates.over_seeds(values, *unit.bounds)) if values else "–"
        simple = result.simple.get(levels)
        rows.append(
            (*_names(levels, result.factors), str(len(values)), mean, unit.format(simple, True) if simple else "–")
        )
    caption = (
        f"Means over seeds{' with 95 % intervals' if len(result.values) >= FEWEST else ''}; differences are paired by"
        f" seed{', in points' if unit.name else ''}."
    )
    return TextTable("Combinations", head, rows, caption)


def _reference(factors: Sequence[Factor], none: str = "none of them") -> str:
    """Return what combinations are compared with: a first level may be a setting of its own, such as a weaker blur."""
    if all(factor.base == "off" for factor in factors):
        return none
    return " and ".join(level_names((0,) * len(factors), factors))


def _names(levels: Combination, factors: Sequence[Factor]) -> tuple[str, ...]:
    return tuple(factor.other if on else factor.base for on, factor in zip(levels, factors, strict=True))


def _effect_table(result: Factorial, unit: MetricUnit) -> TextTable:
    head: tuple[str, ...] = ("effect", f"on {unit.metric}" + (", points" if unit.name else ""))
    several = len(result.values) >= FEWEST
    head += (("p", "p (Holm)") if several else ()) + tuple(f"{name} to target, ratio" for name in result.ratios)
    rows = []
    for place, effect in enumerate(result.effects):
        tested = (f"{effect.p:.2g}", f"{effect.p_holm:.2g}") if several else ()
        ratios = (format_ratio(effects[place].estimate) for effects in result.ratios.values())
        rows.append((_name(effect), unit.format(effect.estimate, True), *tested, *ratios))
    caption = (
        "A main effect is the mean difference between the levels of a factor over those of the others; an interaction"
        " (×) is what several bring together beyond the sum of what each brings alone."
    )
    if several:
        caption += (
            f" In brackets: 95 % intervals over {len(result.values)} paired seeds; p by sign flips, corrected for all"
            " effects on the metric by Holm."
        )
    if result.ratios:
        caption += (
            " Ratios below 1 are less samples or time; that of an interaction is over the product of the single ones."
        )
    return TextTable("Effects", head, rows, caption)


def _name(effect: Effect) -> str:
    return " × ".join(effect.factors)


def _estimates(result: Factorial, unit: MetricUnit) -> tuple[StudyEstimate, ...]:
    seeds = len(result.values)
    items = [_estimate(effect, f"on {unit.metric}", unit.name, seeds) for effect in result.effects]
    for name, effects in result.ratios.items():
        items += [_estimate(effect, f"on {name} to target", "ratio", seeds) for effect in effects]
    for levels, estimate in result.simple.items():
        item = " and ".join(factor.label for on, factor in zip(levels, result.factors, strict=True) if on)
        items.append(
            StudyEstimate(
                item, f"difference of {unit.metric} to {_reference(result.factors)}", unit.name, estimate, seeds
            )
        )
    for levels, values in result.combinations.items():
        if values:
            item = ", ".join(level_names(levels, result.factors))
            items.append(
                StudyEstimate(
                    item, f"test {unit.metric}", unit.whole, estimates.over_seeds(values, *unit.bounds), len(values)
                )
            )
    return tuple(items)


def _estimate(effect: Effect, on: str, unit: str, seeds: int) -> StudyEstimate:
    kind = "main effect" if len(effect.factors) == 1 else "interaction"
    tested = (effect.p, effect.p_holm) if seeds >= FEWEST else (None, None)
    return StudyEstimate(_name(effect), f"{kind} {on}", unit, effect.estimate, seeds, *tested)
