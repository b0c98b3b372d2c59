"""What a study of factors is made of: parts that are answered by themselves, findings, tables and a sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from batchsel.analysis.estimates import Estimate

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
    n: int
    """Seeds."""
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


class Part(NamedTuple):
    """Records that are answered by themselves."""

    dataset: str
    where: Mapping[str, str]
    analysis: Mapping[str, Any]
    """The [analysis] table of the card."""
    records: list[Mapping[str, Any]]

    @property
    def place(self) -> str:
        """As `Study.place`."""
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


def place_of(dataset: str, where: Mapping[str, str]) -> str:
    """A data set and the levels of a part in words.

    Args:
        dataset: Name of the data set.
        where: Levels by factor.

    Example:
        >>> place_of("digits", {"model": "cnn"})
        'digits, model cnn'
    """
    return ", ".join([dataset, *(f"{factor} {level}" for factor, level in where.items())])


def analysis_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The [analysis] table that a record was made for; empty for a plain comparison.

    Args:
        record: The record.
    """
    return (record.get("about") or {}).get("analysis") or {}


def form_of(record: Mapping[str, Any]) -> str:
    """The form of the study that a record is of: "scaled", "full" or empty.

    Args:
        record: The record.
    """
    return (record.get("about") or {}).get("form") or ""


def level_of(record: Mapping[str, Any], factor: str) -> str | None:
    """The level of a factor that a run was made at; None if its arm has none.

    Args:
        record: The record.
        factor: Name of the factor; "arm" is the arm's name where no level is stated.

    Example:
        >>> level_of({"arm": {"name": "a", "levels": {"blur": "on"}}}, "blur")
        'on'
    """
    levels = record["arm"].get("levels") or {}
    if factor in levels:
        return str(levels[factor])
    return record["arm"]["name"] if factor == "arm" else None


def parts(records: Sequence[Mapping[str, Any]], kind: str) -> list[Part]:
    """The parts of all studies of a kind: data sets, and in them the levels of the factors named by "within".

    Args:
        records: Of any number of experiments.
        kind: The kind.

    Returns:
        Parts in the order of their records. Runs without a level of a factor of "within" are in none.
    """
    mine = [record for record in records if analysis_of(record).get("kind") == kind]
    forms = {(record["spec"]["dataset"], form_of(record)) for record in mine}
    found: dict[str, Part] = {}
    for record in mine:
        analysis, dataset = analysis_of(record), record["spec"]["dataset"]
        where = {factor: level_of(record, factor) for factor in analysis.get("within", ())}
        if None in where.values():
            continue
        if sum(name == dataset for name, _ in forms) > 1:
            where["form"] = form_of(record) or "unnamed"
        key = json.dumps([dataset, where, analysis], sort_keys=True)
        found.setdefault(key, Part(dataset, where, analysis, [])).records.append(record)
    return list(found.values())


def base_level(records: Sequence[Mapping[str, Any]], factor: str, stated: str | None = None) -> str | None:
    """The level that the others of a factor are compared with.

    It is the one that the card states, else "off", else that of the baseline, else the first.

    Args:
        records: Of a part.
        factor: Name of the factor.
        stated: What the card states, or None.
    """
    known = [level for level in (level_of(record, factor) for record in records) if level is not None]
    of_baseline = [level_of(record, factor) for record in records if record["arm"]["role"] == "baseline"]
    wanted = [stated, "off", *of_baseline, *known]
    return next((level for level in wanted if level in known), None)
