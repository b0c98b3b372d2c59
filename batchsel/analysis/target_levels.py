"""The same runs at several targets: a gain at one threshold alone would be a gain of that threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.comparison import Analysis, Comparison, analyze
from batchsel.analysis.studies.studies import studies, with_controls
from batchsel.analysis.studies.study import Study
from batchsel.core.target import Target


class Level(NamedTuple):
    """The arms of a data set at one of its targets."""

    name: str
    """As the data set's card calls it, or the target itself."""
    target: str
    comparisons: list[Comparison]
    """One of each arm that has a baseline and is no control of another arm."""


def levels(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Level]]:
    """Compares the arms at every target of their data set, the easiest first.

    These comparisons are secondary: what was asked is the target that the runs were made for.

    Args:
        records: Of any number of data sets and arms.

    Returns:
        The levels of each data set that has several. Runs that were ended at their target say nothing about
        harder ones; a data set with such runs is left out.
    """
    found = {}
    for dataset in dict.fromkeys(record["spec"]["dataset"] for record in records):
        mine = [record for record in records if record["spec"]["dataset"] == dataset]
        targets = _targets(mine)
        if len(targets) > 1 and all(record["spec"]["run_on"] for record in mine):
            found[dataset] = [Level(name, text, _comparisons(mine, dataset, text)) for text, name in targets.items()]
    return found


class Estimates(NamedTuple):
    """Everything that is estimated from records, once for all who show it."""

    analysis: Analysis
    """At the targets that the runs were made for."""
    levels: dict[str, list[Level]]
    """As `levels` gives them."""
    studies: list[Study]
    """The answers of studies of factors, where the records are of any."""


def estimate(records: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]] = ()) -> Estimates:
    """Compares the arms at the target that was asked for and at all targets of their data sets, and answers studies.

    Args:
        records: Of any number of data sets and arms.
        failures: Records of runs that failed: to leave them out would make what they were of look better.
    """
    analysis = analyze(records)
    return Estimates(analysis, levels(records), with_controls(studies(records, failures), analysis))


def _targets(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Names of the targets by their text; none that a run did not measure."""
    named = {text: name for record in records for name, text in record.get("targets", {}).items()}
    asked = {record["spec"]["target"]: record["spec"]["target"] for record in records}
    measured = set.intersection(*(set(record["test"]) for record in records))
    known = [Target.parse(text) for text in {**asked, **named} if Target.parse(text).metric in measured]
    known = sorted(known, key=lambda target: target.threshold * (1 if target.rising else -1))
    names = {str(Target.parse(text)): name for text, name in {**asked, **named}.items()}
    return {str(target): names[str(target)] for target in known}


def _comparisons(records: Sequence[Mapping[str, Any]], dataset: str, target: str) -> list[Comparison]:
    return [item for item in analyze(records, {dataset: target}).comparisons if not item.arm.control_of]
