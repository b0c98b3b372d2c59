"""The answer of a study of budgets: what pruning adds at equal samples, what it costs and saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import FEWEST
from batchsel.analysis.studies.budgets import ROLES, Budgets, Difference, budgets, not_inferior
from batchsel.analysis.studies.study import (
    ONE_SEED,
    Finding,
    Study,
    Table,
    answered,
    basis,
    failed,
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
    found = budgets(part)
    if isinstance(found, str):
        return answered(part, 0, f"no answer yet: {found}", failed(_failures(part)))
    seeds = max((item.n for item in found.differences.values()), default=0)
    notes = [*failed(_failures(part)), *_notes(found)]
    return answered(part, seeds, _sentence(found, seeds), notes, [_arms(found), _differences(found)], _findings(found))


def _sentence(found: Budgets, seeds: int) -> str:
    honest, whole = found.differences.get(("pruned", "short")), found.differences.get(("pruned", "full"))
    if honest is None or whole is None:
        return "no answer yet: no seed has all three"
    unit, names = found.unit, found.names
    equal = "with as many samples" if found.equal else f"with {number(honest.samples)} of the samples"
    told = (
        f"{names['pruned']} ended at {unit.difference(honest.final)} against {names['short']}, trained {equal}"
        f" ({_judged(honest)}), and at {unit.tell(whole.final, True)} against {names['full']}"
        f" ({_margin(found, whole)}), with {number(whole.samples)} of its samples"
    )
    if whole.seconds is not None:
        told += f" and {number(whole.seconds)} of its time"
    short = found.differences.get(("short", "full"))
    if short is not None:
        told += f"; {names['short']} ended at {unit.tell(short.final, True)} against {names['full']}"
        told += f" ({_margin(found, short)})"
    return f"{told}; {ONE_SEED}" if seeds == 1 else told


def _judged(item: Difference) -> str:
    words = verdict(item.final, item.p_holm, "no difference")
    return f"{words}; {basis(item.final, item.n)}" if words else basis(item.final, item.n)


def _margin(found: Budgets, item: Difference) -> str:
    if found.margin is None or item.final.low is None:
        return _judged(item)
    margin = found.unit.amount(found.margin)
    shown = not_inferior(item.final, found.margin, found.unit.rising)
    words = f"{'not worse' if shown else 'worse'} by more than {margin}"
    if shown is None:
        words = f"whether it is worse by more than {margin} is not decided"
    return f"{words}; {basis(item.final, item.n)}"


def _failures(part: Part) -> list[Mapping[str, Any]]:
    """Of the three arms."""
    names = {str(part.analysis.get(role, role)) for role in ROLES}
    return [item for item in part.failures if level_of(item, part.analysis.get("factor", "arm")) in names]


def _notes(found: Budgets) -> list[str]:
    notes = []
    if not found.equal:
        honest = found.differences["pruned", "short"]
        notes.append(
            f"{found.names['pruned']} and {found.names['short']} were not trained on equally many samples (ratio"
            f" {number(honest.samples)}): their difference is not owed to the choice of samples alone."
        )
    if any(item.seconds is None for item in found.differences.values()):
        notes.append(
            "some runs shared the device or were made at another hour, so ratios of their seconds are left out."
        )
    for item in found.differences.values():
        notes += weak(_name(item, found), item.final, item.p_holm, len(found.differences), item.n)
    return notes


def _name(item: Difference, found: Budgets) -> str:
    return f"{found.names[item.left]} − {found.names[item.right]}"


def _arms(found: Budgets) -> Table:
    rows = []
    for role in ROLES:
        values = list(found.finals[role].values())
        if values:
            rows.append((found.names[role], role, str(len(values)), found.unit.tell(estimates.over_seeds(values))))
    several = any(len(values) > 1 for values in found.finals.values())
    words = (
        "Means over seeds; in brackets 95 % intervals, where there are enough seeds." if several else "One seed each."
    )
    return Table("Arms", ("arm", "role", "runs", found.unit.axis), rows, words)


def _differences(found: Budgets) -> Table:
    several = any(item.n >= FEWEST for item in found.differences.values())
    timed = any(item.seconds is not None for item in found.differences.values())
    head: tuple[str, ...] = ("difference", "seeds", f"{found.unit.metric}{', points' if found.unit.name else ''}")
    head += (("p", "p (Holm)") if several else ()) + ("samples ratio", *(("time ratio",) if timed else ()))
    rows = []
    for item in found.differences.values():
        row = (_name(item, found), str(item.n), found.unit.tell(item.final, True))
        tested = (f"{item.p:.2g}", f"{item.p_holm:.2g}") if item.n >= FEWEST else ("–", "–")
        row += tested if several else ()
        row += (number(item.samples), *((number(item.seconds) if item.seconds else "–",) if timed else ()))
        rows.append(row)
    words = "Paired by seed. The first is what pruning adds to full data in as many samples with a finished schedule."
    words += " In brackets 95 % intervals; p by sign flips, corrected for the differences by Holm." if several else ""
    return Table("Differences", head, rows, words)


def _findings(found: Budgets) -> tuple[Finding, ...]:
    made = []
    for item in found.differences.values():
        name = f"{found.names[item.left]} - {found.names[item.right]}"
        tested = (item.p, item.p_holm) if item.n >= FEWEST else (None, None)
        made.append(Finding(name, f"difference of {found.unit.metric}", found.unit.name, item.final, item.n, *tested))
        made.append(Finding(name.replace(" - ", " / "), "samples", "ratio", item.samples, item.n))
        if item.seconds is not None:
            made.append(Finding(name.replace(" - ", " / "), "time", "ratio", item.seconds, item.n))
    for role in ROLES:
        values = list(found.finals[role].values())
        if values:
            unit = found.unit
            made.append(
                Finding(found.names[role], f"test {unit.metric}", unit.whole, estimates.over_seeds(values), len(values))
            )
    return tuple(made)
