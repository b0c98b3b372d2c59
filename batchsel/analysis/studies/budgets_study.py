"""Answer a study of budgets: the gain of pruning at equal samples, its cost and its savings."""

from __future__ import annotations

from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import FEWEST
from batchsel.analysis.studies.budgets import ROLES, Budgets, Difference, budgets, not_inferior
from batchsel.analysis.studies.study import (
    ONE_SEED,
    Study,
    StudyEstimate,
    TextTable,
    basis,
    difference_verdict,
    failure_notes,
    make_study,
    weak_evidence_notes,
)
from batchsel.analysis.studies.study_parts import StudyPart
from batchsel.analysis.verdict import format_ratio
from batchsel.experiments.run.run_record import FailureRecord


def answer(part: StudyPart) -> Study:
    """Answer the study in one of its parts."""
    result = budgets(part)
    if isinstance(result, str):
        return make_study(part, 0, f"no answer yet: {result}", failure_notes(_failures(part)))
    seeds = max((item.n for item in result.differences.values()), default=0)
    notes = [*failure_notes(_failures(part)), *_notes(result)]
    return make_study(
        part,
        seeds,
        _sentence(result, seeds),
        notes,
        [_arm_table(result), _difference_table(result)],
        _estimates(result),
    )


def _sentence(result: Budgets, seeds: int) -> str:
    equal_samples, full = result.differences.get(("pruned", "short")), result.differences.get(("pruned", "full"))
    if equal_samples is None or full is None:
        return "no answer yet: no seed has all three"
    unit, names = result.unit, result.names
    equal = "with as many samples" if result.equal else f"with {format_ratio(equal_samples.samples)} of the samples"
    text = (
        f"{names['pruned']} ended at {unit.difference(equal_samples.final)} against {names['short']}, trained {equal}"
        f" ({_verdict_words(equal_samples)}), and at {unit.format(full.final, True)} against {names['full']}"
        f" ({_margin_words(result, full)}), with {format_ratio(full.samples)} of its samples"
    )
    if full.seconds is not None:
        text += f" and {format_ratio(full.seconds)} of its time"
    short = result.differences.get(("short", "full"))
    if short is not None:
        text += f"; {names['short']} ended at {unit.format(short.final, True)} against {names['full']}"
        text += f" ({_margin_words(result, short)})"
    return f"{text}; {ONE_SEED}" if seeds == 1 else text


def _verdict_words(item: Difference) -> str:
    words = difference_verdict(item.final, item.p_holm, "no difference")
    return f"{words}; {basis(item.final, item.n)}" if words else basis(item.final, item.n)


def _margin_words(result: Budgets, item: Difference) -> str:
    if result.margin is None or item.final.low is None:
        return _verdict_words(item)
    margin = result.unit.amount(result.margin)
    shown = not_inferior(item.final, result.margin, result.unit.rising)
    words = f"{'not worse' if shown else 'worse'} by more than {margin}"
    if shown is None:
        words = f"not clear if worse by more than {margin}"
    return f"{words}; {basis(item.final, item.n)}"


def _failures(part: StudyPart) -> list[FailureRecord]:
    """Return the failures of the three arms."""
    names = {str(part.analysis.get(role, role)) for role in ROLES}
    return [item for item in part.failures if item.arm.level(part.analysis.get("factor", "arm")) in names]


def _notes(result: Budgets) -> list[str]:
    notes = []
    if not result.equal:
        equal_samples = result.differences["pruned", "short"]
        notes.append(
            f"{result.names['pruned']} and {result.names['short']} were not trained on equally many samples (ratio"
            f" {format_ratio(equal_samples.samples)}): their difference is not due to the choice of samples alone."
        )
    if any(item.seconds is None for item in result.differences.values()):
        notes.append("some runs shared the device or ran at another time, so ratios of their seconds are left out.")
    for item in result.differences.values():
        notes += weak_evidence_notes(_name(item, result), item.final, item.p_holm, len(result.differences), item.n)
    return notes


def _name(item: Difference, result: Budgets) -> str:
    return f"{result.names[item.left]} − {result.names[item.right]}"


def _arm_table(result: Budgets) -> TextTable:
    rows = []
    for role in ROLES:
        values = list(result.finals[role].values())
        if values:
            rows.append(
                (
                    result.names[role],
                    role,
                    str(len(values)),
                    result.unit.format(estimates.over_seeds(values, *result.unit.bounds)),
                )
            )
    several = any(len(values) > 1 for values in result.finals.values())
    caption = (
        "Means over seeds; in brackets: 95 % intervals, where there are enough seeds." if several else "One seed each."
    )
    return TextTable("Arms", ("arm", "role", "runs", result.unit.axis), rows, caption)


def _difference_table(result: Budgets) -> TextTable:
    several = any(item.n >= FEWEST for item in result.differences.values())
    timed = any(item.seconds is not None for item in result.differences.values())
    head: tuple[str, ...] = ("difference", "seeds", f"{result.unit.metric}{', points' if result.unit.name else ''}")
    head += (("p", "p (Holm)") if several else ()) + ("samples ratio", *(("time ratio",) if timed else ()))
    rows = []
    for item in result.differences.values():
        row = (_name(item, result), str(item.n), result.unit.format(item.final, True))
        tested = (f"{item.p:.2g}", f"{item.p_holm:.2g}") if item.n >= FEWEST else ("–", "–")
        row += tested if several else ()
        row += (format_ratio(item.samples), *((format_ratio(item.seconds) if item.seconds else "–",) if timed else ()))
        rows.append(row)
    caption = "Paired by seed. The first is what pruning adds to full data in as many samples with a finished schedule."
    caption += (
        " In brackets: 95 % intervals; p by sign flips, corrected for the differences by Holm." if several else ""
    )
    return TextTable("Differences", head, rows, caption)


def _estimates(result: Budgets) -> tuple[StudyEstimate, ...]:
    items = []
    for item in result.differences.values():
        name = f"{result.names[item.left]} - {result.names[item.right]}"
        tested = (item.p, item.p_holm) if item.n >= FEWEST else (None, None)
        items.append(
            StudyEstimate(name, f"difference of {result.unit.metric}", result.unit.name, item.final, item.n, *tested)
        )
        items.append(StudyEstimate(name.replace(" - ", " / "), "samples", "ratio", item.samples, item.n))
        if item.seconds is not None:
            items.append(StudyEstimate(name.replace(" - ", " / "), "time", "ratio", item.seconds, item.n))
    for role in ROLES:
        values = list(result.finals[role].values())
        if values:
            unit = result.unit
            items.append(
                StudyEstimate(
                    result.names[role],
                    f"test {unit.metric}",
                    unit.whole,
                    estimates.over_seeds(values, *result.unit.bounds),
                    len(values),
                )
            )
    return tuple(items)
