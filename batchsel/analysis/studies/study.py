"""Answer of a study of factors: a sentence, notes, tables and estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batchsel.analysis.stats import sign_flips
from batchsel.analysis.stats.estimates import FEWEST, Estimate
from batchsel.analysis.studies.study_parts import StudyPart, place_name

ONE_SEED = "a study of one seed: differences are those of single runs, no interval can be given"
SCALED = "scaled"
_SIGNIFICANT = 0.05


class StudyEstimate(NamedTuple):
    """One estimated number of a study."""

    item: str
    """Subject of the estimate, such as "lerac × blur" or "scaled, batch size 64"."""
    quantity: str
    """Measured quantity, such as "interaction effect on accuracy"."""
    unit: str
    """Unit, such as "points", "ratio" or "s"."""
    estimate: Estimate
    n: int | None
    """Number of seeds; None where the estimate is not made of one number for each seed."""
    p: float | None = None
    """Sign-flip p-value where it was tested."""
    p_holm: float | None = None
    """The same, corrected for all tests of the study."""


class TextTable(NamedTuple):
    """Table of text cells, as it is shown on the page and in the terminal."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    caption: str
    """Explanation of the columns."""


@dataclass(frozen=True)
class Study:
    """Answer of a study in one of its parts.

    Args:
        kind: "factorial", "batch_sizes", "budgets" or "horizon".
        dataset: Name of the data set.
        where: Levels of the part by factor; empty if the data set is one part.
        seeds: Number of seeds that the answer rests on.
        sentence: The answer.
        notes: Caveats.
        tables: Tables that the answer is read from.
        findings: All estimates.
        form: "scaled", "full" or empty.
        story: Reason for the study, from its card.
    """

    kind: str
    dataset: str
    where: Mapping[str, str]
    seeds: int
    sentence: str
    notes: tuple[str, ...]
    tables: tuple[TextTable, ...]
    findings: tuple[StudyEstimate, ...]
    form: str = ""
    story: str = ""

    @property
    def place(self) -> str:
        """Name of the part, such as "digits, model cnn"."""
        return place_name(self.dataset, self.where)


def make_study(
    part: StudyPart,
    seeds: int,
    sentence: str,
    notes: Sequence[str] = (),
    tables: Sequence[TextTable] = (),
    findings: Sequence[StudyEstimate] = (),
) -> Study:
    """Return the study of a part.

    Args:
        part: The part.
        seeds: As in `Study`.
        sentence: The answer, without the name of the part and the period.
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
        form=first.form,
        story=first.about.story if first.about else "",
    )


def basis(estimate: Estimate, seeds: int) -> str:
    """Describe the seeds behind an interval, or why there is none.

    Args:
        estimate: A value, with its interval where there is one.
        seeds: Number of runs or pairs behind it.

    Example:
        >>> basis(Estimate(1.0), 2), basis(Estimate(1.0, 0.5, 1.5), 5)
        ('2 seeds, too few for an interval', '95 % interval, 5 seeds')
    """
    if seeds == 1:
        return "one seed"
    if seeds < FEWEST:
        return f"{seeds} seeds, too few for an interval"
    return f"{seeds} seeds that agree, no interval" if estimate.low is None else f"95 % interval, {seeds} seeds"


def difference_verdict(estimate: Estimate, p_holm: float, reference: str) -> str:
    """State whether a difference is supported by its interval and its corrected p-value.

    Args:
        estimate: The difference.
        p_holm: The corrected p-value.
        reference: What it is to be distinguished from, such as "none".

    Returns:
        The verdict; empty where there is no interval.

    Example:
        >>> difference_verdict(Estimate(1.0, 0.5, 1.5), 0.25, "none")
        'its interval excludes 0, but the evidence is weak: p = 0.25 after Holm'
        >>> difference_verdict(Estimate(1.0, 0.5, 1.5), 0.02, "none")
        'distinguishable from none'
        >>> difference_verdict(Estimate(1.0, -0.5, 2.5), 0.5, "none")
        'not distinguishable from none'
    """
    if estimate.low is None:
        return ""
    if not excludes_zero(estimate):
        return f"not distinguishable from {reference}"
    if p_holm > _SIGNIFICANT:
        return f"its interval excludes 0, but the evidence is weak: p = {p_holm:.2g} after Holm"
    return f"distinguishable from {reference}"


def significant(estimate: Estimate, p_holm: float) -> bool:
    """Return True if both the interval of a difference and its corrected p-value exclude zero.

    Args:
        estimate: The difference.
        p_holm: The corrected p-value.
    """
    return excludes_zero(estimate) and p_holm <= _SIGNIFICANT


def failure_notes(failures: Sequence[object]) -> list[str]:
    """Return a note on runs that failed, or nothing."""
    count = len(failures)
    runs = "1 run failed and is" if count == 1 else f"{count} runs failed and are"
    return [f"{runs} not included: all numbers are of runs that ended."] if count else []


def weak_evidence_notes(item: str, estimate: Estimate, p_holm: float, tests: int, seeds: int) -> list[str]:
    """Return a note on a difference whose interval excludes zero while its corrected p-value does not, or nothing.

    Args:
        item: Subject of the difference.
        estimate: The difference.
        p_holm: The corrected p-value.
        tests: Number of tests that it was corrected for.
        seeds: Number of pairs.
    """
    if not excludes_zero(estimate) or p_holm <= _SIGNIFICANT:
        return []
    least = f"the smallest p of sign flips with {seeds} seeds is {sign_flips.smallest(seeds):.2g}"
    return [f"{item}: after Holm's correction for {tests} tests p = {p_holm:.2g}: weak evidence ({least})."]


def excludes_zero(estimate: Estimate) -> bool:
    """Return True if an interval excludes zero; False where there is no interval.

    Example:
        >>> [excludes_zero(Estimate(1.0, *ends)) for ends in ((0.5, 1.5), (-0.5, 2.5), ())]
        [True, False, False]
    """
    return estimate.low is not None and estimate.high is not None and not estimate.low <= 0 <= estimate.high
