"""What a study of factors is made of: parts that are answered by themselves, findings, tables and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batchsel.analysis.stats.estimates import FEWEST, Estimate
from batchsel.analysis.studies.study_parts import Part, form_of, place_of

ONE_SEED = "a study of one seed: differences are those of single runs, no interval can be given"
SCALED = "scaled"
_SIGNIFICANT = 0.05


class Finding(NamedTuple):
    """One estimated number."""

    item: str
    """What it is of, such as "lerac × blur" or "scaled, batch size 64"."""
    quantity: str
    """What is measured, such as "interaction effect on accuracy"."""
    unit: str
    """Such as "points", "ratio" or "s"."""
    estimate: Estimate
    n: int | None
    """Seeds; None where it is not made of one number a seed."""
    p: float | None = None
    """Sign-flip p-value where it was tested."""
    p_holm: float | None = None
    """The same, corrected for all that was tested with it."""


class Table(NamedTuple):
    """A table as it is shown, on the page and in the terminal."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    words: str
    """What a reader must know to read it."""


@dataclass(frozen=True)
class Study:
    """The answer of a study in one of its parts.

    Args:
        kind: "factorial", "batch_sizes" or "budgets".
        dataset: Name of the data set.
        where: Levels that the part is of, by factor; empty if the data set is one part.
        seeds: Seeds that the answer rests on.
        sentence: The answer.
        notes: What must be known before it is believed.
        tables: What it was read from.
        findings: All numbers.
        form: "scaled", "full" or empty.
        story: Why it is asked, as the card says.
    """

    kind: str
    dataset: str
    where: Mapping[str, str]
    seeds: int
    sentence: str
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    findings: tuple[Finding, ...]
    form: str = ""
    story: str = ""

    @property
    def place(self) -> str:
        """The part in words, such as "digits, model cnn"."""
        return place_of(self.dataset, self.where)


def answered(
    part: Part,
    seeds: int,
    sentence: str,
    notes: Sequence[str] = (),
    tables: Sequence[Table] = (),
    findings: Sequence[Finding] = (),
) -> Study:
    """The study of a part.

    Args:
        part: The part.
        seeds: As in `Study`.
        sentence: The answer, without the part that it is of and the full stop.
        notes: As in `Study`.
        tables: As in `Study`; those without rows are left out.
        findings: As in `Study`.
    """
    first = part.records[0]
    return Study(
        kind=part.analysis["kind"],
        dataset=part.dataset,
        where=part.where,
        seeds=seeds,
        sentence=f"on {part.place}: {sentence}.",
        notes=tuple(notes),
        tables=tuple(table for table in tables if table.rows),
        findings=tuple(findings),
        form=form_of(first),
        story=first["about"].get("story") or "",
    )


def basis(estimate: Estimate, seeds: int) -> str:
    """What an interval rests on, or why there is none.

    Args:
        estimate: A value, with its interval where there is one.
        seeds: Runs or pairs that it is from.

    Example:
        >>> basis(Estimate(1.0), 2), basis(Estimate(1.0, 0.5, 1.5), 5)
        ('2 seeds, too few for an interval', '95 % interval, 5 seeds')
    """
    if seeds == 1:
        return "one seed"
    if seeds < FEWEST:
        return f"{seeds} seeds, too few for an interval"
    return f"{seeds} seeds that agree, no interval" if estimate.low is None else f"95 % interval, {seeds} seeds"


def verdict(estimate: Estimate, p_holm: float, of: str) -> str:
    """What a difference and its corrected p-value allow to be said.

    Args:
        estimate: Its interval.
        p_holm: The corrected p-value.
        of: From what it is to be told, such as "none".

    Returns:
        Words; none where there is no interval.

    Example:
        >>> verdict(Estimate(1.0, 0.5, 1.5), 0.25, "none")
        'its interval leaves 0 out, but the evidence is weak: p = 0.25 after Holm'
        >>> verdict(Estimate(1.0, 0.5, 1.5), 0.02, "none"), verdict(Estimate(1.0, -0.5, 2.5), 0.5, "none")
        ('distinguishable from none', 'not distinguishable from none')
    """
    if estimate.low is None:
        return ""
    if not distinct(estimate):
        return f"not distinguishable from {of}"
    if p_holm > _SIGNIFICANT:
        return f"its interval leaves 0 out, but the evidence is weak: p = {p_holm:.2g} after Holm"
    return f"distinguishable from {of}"


def significant(estimate: Estimate, p_holm: float) -> bool:
    """Whether a difference is distinguishable from none: by its interval and by its corrected p-value.

    Args:
        estimate: Its interval.
        p_holm: The corrected p-value.
    """
    return distinct(estimate) and p_holm <= _SIGNIFICANT


def failed(failures: Sequence[object]) -> list[str]:
    """A note on runs that failed, or nothing.

    Args:
        failures: Records of them.
    """
    count = len(failures)
    runs = "1 run failed and is" if count == 1 else f"{count} runs failed and are"
    return [f"{runs} not among the numbers: they are of the runs that ended."] if count else []


def weak(item: str, estimate: Estimate, p_holm: float, tests: int, seeds: int) -> list[str]:
    """A note on a difference whose interval says more than its corrected p-value.

    Args:
        item: What differs.
        estimate: Its interval; none of it is at zero.
        p_holm: The corrected p-value.
        tests: For how many it was corrected.
        seeds: Pairs that it is from.

    Returns:
        The note, or nothing.
    """
    if not distinct(estimate) or p_holm <= _SIGNIFICANT:
        return []
    least = f"sign flips of {seeds} seeds give no p below {2 / 2**seeds:.2g}"
    return [f"{item}: after Holm's correction for {tests} tests p = {p_holm:.2g}: weak evidence ({least})."]


def distinct(estimate: Estimate) -> bool:
    """Whether an interval leaves zero out.

    Args:
        estimate: A value with its interval; without one nothing is left out.

    Example:
        >>> distinct(Estimate(1.0, 0.5, 1.5)), distinct(Estimate(1.0, -0.5, 2.5)), distinct(Estimate(1.0))
        (True, False, False)
    """
    return estimate.low is not None and estimate.high is not None and not estimate.low <= 0 <= estimate.high
