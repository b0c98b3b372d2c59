"""Single runs: runs outside of any comparison, each of which stands for itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from batchsel.analysis.outcomes import Outcome, arm_order, outcome
from batchsel.core.target import Target
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

SINGLE = "single"
"""Role of a run outside of any comparison."""


BY_DEFAULT = "by default"
"""Value of a setting that a record does not hold."""


class SingleRun(NamedTuple):
    """A run outside of any comparison."""

    name: str
    """Its selector and the settings in which runs with this selector differ, such as "random, batch_size = 16"."""
    record: RunRecord
    outcome: Outcome
    """Outcome at its target."""
    target: str
    """Text form of the target."""


def split_runs(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[RunRecord]]:
    """Split records into those of experiments and those of single runs.

    Args:
        records: Records of any number of data sets.

    Returns:
        The records of arms that are compared, and those of single runs, whose arms are renamed by `name_single_runs`.
    """
    compared = [record for record in records if record.arm.role != SINGLE]
    singles = [record for record in records if record.arm.role == SINGLE]
    return compared, name_single_runs(singles, {(item.spec.dataset, item.arm.name) for item in compared})


def name_single_runs(records: Sequence[RunRecord], taken: Collection[tuple[str, str]] = ()) -> list[RunRecord]:
    """Give single runs of one data set the same name only where their settings differ in nothing but the seed.

    `batchsel run` names a run by its selector alone, unless the user names it, so that runs with other settings would
    pass for other seeds.

    Args:
        records: Records of single runs.
        taken: Data sets and names of arms that are compared in the same report.
    """
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        groups.setdefault((record.spec.dataset, record.name or record.arm.name), []).append(record)
    varied = {key: differing_settings(own) for key, own in groups.items()}
    renamed = []
    for record in records:
        key = (record.spec.dataset, record.name or record.arm.name)
        parts = describe_settings(record, varied[key])
        own_name = ", ".join([key[1], *parts])
        own_name += " (single run)" if (record.spec.dataset, own_name) in taken else ""
        renamed.append(replace(record, arm=replace(record.arm, name=own_name)))
    return renamed


def differing_settings(records: Sequence[RunRecord]) -> list[str]:
    """Return the names of the settings, other than the seed, that have several values.

    A setting that some records lack has its default in them: records hold the default of a few settings only.

    Args:
        records: Records of runs.
    """
    names = dict.fromkeys(name for record in records for name in record.spec.values)
    first: dict[str, str] = {}
    differing = set()
    last: dict[str, Any] = {}
    for record in records:
        values = {**dict.fromkeys(names, BY_DEFAULT), **record.spec.values, "seed": None}
        if values == last:  # most are, and to compare their texts takes long
            continue
        last = values
        for name, value in values.items():
            if name not in differing and str(value) != first.setdefault(name, str(value)):
                differing.add(name)
    return [name for name in names if name != "seed" and name in differing]


def describe_settings(record: RunRecord | FailureRecord, names: Sequence[str]) -> list[str]:
    """Return the settings with these names that a record holds, as in "batch_size = 16".

    Args:
        record: The record.
        names: Names of settings.
    """
    return [f"{name} = {record.spec.values[name]}" for name in names if name in record.spec.values]


def shared_settings(records: Sequence[RunRecord]) -> dict[str, Any]:
    """Return the settings that are the same in all runs, without the seed.

    Args:
        records: Records of runs, at least one.
    """
    skipped = {"seed", *differing_settings(records)}
    return {name: value for name, value in records[0].spec.values.items() if name not in skipped}


def list_single_runs(records: Sequence[RunRecord]) -> list[SingleRun]:
    """Return single runs with their outcomes, by data set, target, name, seed and start.

    Args:
        records: Records of single runs, named by `name_single_runs`.
    """
    datasets = list(dict.fromkeys(record.spec.dataset for record in records))
    runs = [
        SingleRun(record.arm.name, record, outcome(record), str(Target.parse(record.spec.target))) for record in records
    ]

    def order(run: SingleRun) -> tuple[Any, ...]:
        spec = run.record.spec
        return datasets.index(spec.dataset), run.target, arm_order(SINGLE, run.name), spec.seed, run.record.started

    return sorted(runs, key=order)


def distinct_names(runs: Sequence[SingleRun]) -> list[str]:
    """Return a name for each run that no other has: with its seed, and with its start where a run was repeated.

    Args:
        runs: Single runs.
    """
    names = [f"{run.name}, seed {run.record.spec.seed}" for run in runs]
    names = [
        f"{name}, {run.record.started}" if names.count(name) > 1 else name
        for name, run in zip(names, runs, strict=True)
    ]
    return [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, 1)]
