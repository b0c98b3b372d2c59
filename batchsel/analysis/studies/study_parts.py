"""The parts of studies: which runs, and which failures, are answered together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Record = Mapping[str, Any]


class Part(NamedTuple):
    """Records that are answered by themselves."""

    dataset: str
    where: Mapping[str, str]
    analysis: Mapping[str, Any]
    """The [analysis] table of the card, as the newest of its records has it."""
    records: list[Record]
    """One of each arm and seed; of runs that were made twice the last."""
    failures: Sequence[Record] = ()
    """Of runs that failed and that no record replaces."""

    @property
    def place(self) -> str:
        """As `Study.place`."""
        return place_of(self.dataset, self.where)


def parts(records: Sequence[Record], kind: str, failures: Sequence[Record] = ()) -> list[Part]:
    """The parts of all studies of a kind: experiments and data sets, and in them the levels named by "within".

    Args:
        records: Of any number of experiments.
        kind: The kind.
        failures: Records of runs that failed.

    Returns:
        Parts in the order of their records. Runs without a level of a factor of "within" are in none.
    """
    analyses = _analyses(records)
    mine = [record for record in records if analyses[_group(record)].get("kind") == kind]
    found: dict[str, Part] = {}
    runs: dict[str, dict[tuple[Any, ...], Record]] = {}
    for record in mine:
        group = _group(record)
        within = _within(record, analyses[group])
        if None in within.values():
            continue
        dataset = record["spec"]["dataset"]
        key = json.dumps([*group, dataset, within])
        if key not in found:
            found[key] = Part(dataset, within | _apart(record, mine), analyses[group], [])
        runs.setdefault(key, {})[_place(record)] = record
    return [
        part._replace(records=list(runs[key].values()), failures=_failures(part, runs[key], failures))
        for key, part in found.items()
    ]


def restated(records: Sequence[Record], analysis: Mapping[str, Any]) -> list[Record]:
    """Records as if they had been made for an [analysis] table: that of the card as it is now.

    Args:
        records: Of one experiment.
        analysis: The table.
    """
    return [{**record, "about": {**(record.get("about") or {}), "analysis": dict(analysis)}} for record in records]


def mixed(cells: Mapping[str, Sequence[Record]]) -> str:
    """Why runs are not of one study: those of a cell must differ in their seed alone.

    Args:
        cells: Runs by the words of their cell; controls, whose budgets are those of single seeds, are passed over.

    Returns:
        The reason, or nothing.

    Example:
        >>> runs = [{"arm": {"role": "arm"}, "spec": {"seed": i, "learning_rate": i + 1}} for i in (0, 1)]
        >>> mixed({"blur on": runs})
        'the runs of blur on differ in more than their seed (learning_rate 1 and 2)'
    """
    for words, runs in cells.items():
        specs = [run["spec"] for run in runs if run["arm"]["role"] != "control"]
        for name in dict.fromkeys(name for spec in specs for name in spec if name != "seed"):
            values = list(dict.fromkeys(str(spec.get(name, "by default")) for spec in specs))
            if len(values) > 1:
                return f"the runs of {words} differ in more than their seed ({name} {' and '.join(values)})"
    return ""


def _about(record: Record) -> Mapping[str, Any]:
    return record.get("about") or {}


def _group(record: Record) -> tuple[str, ...]:
    """What an experiment is told by: its name and form; of records without a name by all else that they say of it."""
    about, name = _about(record), _about(record).get("experiment") or ""
    if name:
        return (name, form_of(record))
    kind = str(analysis_of(record).get("kind", ""))
    return ("", form_of(record), about.get("question") or "", record["spec"]["dataset"], kind)


def _analyses(records: Sequence[Record]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """The [analysis] table of each experiment: that of its newest record, for a card may have been edited."""
    newest: dict[tuple[str, ...], Record] = {}
    for record in records:
        group = _group(record)
        if group not in newest or record["started"] >= newest[group]["started"]:
            newest[group] = record
    return {group: analysis_of(record) for group, record in newest.items()}


def _within(record: Record, analysis: Mapping[str, Any]) -> dict[str, Any]:
    return {factor: level_of(record, factor) for factor in analysis.get("within", ())}


def _apart(record: Record, records: Sequence[Record]) -> dict[str, str]:
    """What tells a part from others of its data set: the experiment and the form, where there are several."""
    mine = [other for other in records if other["spec"]["dataset"] == record["spec"]["dataset"]]
    found = {}
    if len({_about(other).get("experiment") or "" for other in mine}) > 1:
        found["experiment"] = _about(record).get("experiment") or "unnamed"
    if len({form_of(other) for other in mine}) > 1:
        found["form"] = form_of(record) or "unnamed"
    return found


def _place(record: Record) -> tuple[Any, ...]:
    """Which run of a part it is: levels and seed; controls and arms without levels are told by their names."""
    arm = record["arm"]
    control = arm["role"] == "control"
    levels = None if control else arm.get("levels")
    return control, json.dumps(levels, sort_keys=True) if levels else arm["name"], record["spec"]["seed"]


def _failures(part: Part, runs: Mapping[tuple[Any, ...], Record], failures: Sequence[Record]) -> list[Record]:
    found = {}
    for failure in failures:
        if _place(failure) not in runs and any(_same_study(part, failure, run) for run in runs.values()):
            found[_place(failure)] = failure
    return list(found.values())


def _same_study(part: Part, failure: Record, run: Record) -> bool:
    """Whether a failure is of the study of a run; earlier versions did not record what failures were made for."""
    within = _within(failure, part.analysis)
    if failure["spec"].get("dataset") != part.dataset or any(part.where[name] != of for name, of in within.items()):
        return False
    if _about(failure):
        return _group(failure) == _group(run)
    same = all(failure["spec"].get(name) == run["spec"][name] for name in ("model", "target"))
    return same and set(failure["arm"].get("levels") or {}) == set(run["arm"].get("levels") or {})


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
