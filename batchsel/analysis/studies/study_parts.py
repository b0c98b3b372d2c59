"""Split the records of studies into parts, each of which is answered separately."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from batchsel.experiments.run.record_parts import About
from batchsel.experiments.run.run_record import FailureRecord, RunRecord
from batchsel.experiments.run.validation.duplicates import prefer


class StudyPart(NamedTuple):
    """Records that are answered together."""

    dataset: str
    where: Mapping[str, str]
    analysis: Mapping[str, Any]
    """The [analysis] table of the card, as the newest record has it."""
    records: list[RunRecord]
    """One for each arm and seed; where a run was made twice, that which counts by `duplicates.prefer`."""
    failures: Sequence[FailureRecord] = ()
    """Failures of runs that no record replaces."""

    @property
    def place(self) -> str:
        """Name of the part, as in `Study.place`."""
        return place_name(self.dataset, self.where)


def split_into_parts(
    records: Sequence[RunRecord], kind: str, failures: Sequence[FailureRecord] = ()
) -> list[StudyPart]:
    """Split records by experiment and data set, and by the levels of the factors that "within" names.

    Args:
        records: Records of any number of experiments; those of other kinds are skipped.
        kind: Kind of study.
        failures: Records of runs that failed.

    Returns:
        Parts in the order of their records. Runs without a level of a factor of "within" are in none of them.
    """
    if not any(record.analysis.get("kind") == kind for record in records):
        return []
    analyses = _newest_analyses(records)
    own = [record for record in records if analyses[_experiment_key(record)].get("kind") == kind]
    parts: dict[str, StudyPart] = {}
    runs: dict[str, dict[tuple[Any, ...], RunRecord]] = {}
    for record in own:
        experiment = _experiment_key(record)
        within = _levels_within(record, analyses[experiment])
        if None in within.values():
            continue
        dataset = record.spec.dataset
        key = json.dumps([*experiment, dataset, within])
        if key not in parts:
            where = {factor: str(level) for factor, level in within.items()} | _distinguishing(record, own)
            parts[key] = StudyPart(dataset, where, analyses[experiment], [])
        own_runs, run = runs.setdefault(key, {}), _run_key(record)
        own_runs[run] = prefer(own_runs.get(run), record)
    return [
        part._replace(records=list(runs[key].values()), failures=_failures(part, runs[key], failures))
        for key, part in parts.items()
    ]


def with_analysis(records: Sequence[RunRecord], analysis: Mapping[str, Any]) -> list[RunRecord]:
    """Return records with another [analysis] table: that of the card as it is now.

    Args:
        records: Records of one experiment.
        analysis: The table.
    """
    return [replace(record, about=replace(record.about or About(), analysis=dict(analysis))) for record in records]


def settings_conflict(runs_by_group: Mapping[str, Sequence[RunRecord]]) -> str:
    """Return why runs do not belong to one study: within a group they may differ in their seed alone.

    Args:
        runs_by_group: Runs by the description of their group; controls, whose budgets are those of single seeds, are
            skipped.

    Returns:
        The reason, or an empty string.
    """
    for description, runs in runs_by_group.items():
        specs = [run.spec.values for run in runs if run.arm.role != "control"]
        for name in dict.fromkeys(name for spec in specs for name in spec if name != "seed"):
            values = list(dict.fromkeys(str(spec.get(name, "by default")) for spec in specs))
            if len(values) > 1:
                return f"the runs of {description} differ in more than their seed ({name} {' and '.join(values)})"
    return ""


def place_name(dataset: str, where: Mapping[str, str]) -> str:
    """Return the name of a part: its data set and levels.

    Args:
        dataset: Name of the data set.
        where: Levels by factor.

    Example:
        >>> place_name("digits", {"model": "cnn"})
        'digits, model cnn'
    """
    return ", ".join([dataset, *(f"{factor} {level}" for factor, level in where.items())])


def base_level(records: Sequence[RunRecord | FailureRecord], factor: str, stated: str | None = None) -> str | None:
    """Return the level that the other levels of a factor are compared with.

    It is the one that the card states, else "off", else that of the baseline, else the first.

    Args:
        records: Records of a part.
        factor: Name of the factor.
        stated: Level that the card states, or None.
    """
    known = [level for level in (record.arm.level(factor) for record in records) if level is not None]
    of_baseline = [record.arm.level(factor) for record in records if record.arm.role == "baseline"]
    wanted = [stated, "off", *of_baseline, *known]
    return next((level for level in wanted if level in known), None)


def _experiment_key(record: RunRecord | FailureRecord) -> tuple[str, ...]:
    """Identify an experiment: by its name and form; without a name, by everything else its records say of it."""
    if record.experiment:
        return (record.experiment, record.form)
    question = record.about.question if record.about else ""
    return ("", record.form, question, record.spec.dataset, str(record.analysis.get("kind", "")))


def _newest_analyses(records: Sequence[RunRecord]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """Return the [analysis] table of each experiment: that of its newest record, for a card may have been edited."""
    newest: dict[tuple[str, ...], RunRecord] = {}

    def age(record: RunRecord) -> tuple[str, str]:
        return record.started, json.dumps(record.analysis, sort_keys=True)  # for any order of the records

    for record in records:
        key = _experiment_key(record)
        if key not in newest or age(record) >= age(newest[key]):
            newest[key] = record
    return {key: record.analysis for key, record in newest.items()}


def _levels_within(record: RunRecord | FailureRecord, analysis: Mapping[str, Any]) -> dict[str, str | None]:
    return {factor: record.arm.level(factor) for factor in analysis.get("within", ())}


def _distinguishing(record: RunRecord, records: Sequence[RunRecord]) -> dict[str, str]:
    """Return the experiment and the form, where the data set has several."""
    own = [other for other in records if other.spec.dataset == record.spec.dataset]
    names = {}
    if len({other.experiment for other in own}) > 1:
        names["experiment"] = record.experiment or "unnamed"
    if len({other.form for other in own}) > 1:
        names["form"] = record.form or "unnamed"
    return names


def _run_key(record: RunRecord | FailureRecord) -> tuple[Any, ...]:
    """Identify a run of a part: by levels and seed; controls and arms without levels by their names."""
    arm = record.arm
    control = arm.role == "control"
    levels = None if control else arm.levels
    return control, json.dumps(levels, sort_keys=True) if levels else arm.name, record.spec.seed


def _failures(
    part: StudyPart, runs: Mapping[tuple[Any, ...], RunRecord], failures: Sequence[FailureRecord]
) -> list[FailureRecord]:
    found = {}
    for failure in failures:
        if _run_key(failure) not in runs and any(_same_study(part, failure, run) for run in runs.values()):
            found[_run_key(failure)] = failure
    return list(found.values())


def _same_study(part: StudyPart, failure: FailureRecord, run: RunRecord) -> bool:
    """Return True if a failure belongs to the study of a run; earlier versions did not record its experiment."""
    within = _levels_within(failure, part.analysis)
    if failure.spec.values.get("dataset") != part.dataset:
        return False
    if any(part.where[name] != level for name, level in within.items()):
        return False
    if failure.about:
        return _experiment_key(failure) == _experiment_key(run)
    same = all(failure.spec.values.get(name) == run.spec.values[name] for name in ("model", "target"))
    return same and set(failure.arm.levels) == set(run.arm.levels)
