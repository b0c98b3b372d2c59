"""Groups of comparisons: runs of one data set that differ in more than arm and seed are not mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from batchsel.analysis.single_runs import BY_DEFAULT, SINGLE, describe_settings, differing_settings
from batchsel.experiments.run.record_parts import RecordedSpec
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

_Record = TypeVar("_Record", RunRecord, FailureRecord)
_EXPERIMENT = "experiment"
_OF_CONTROLS = ("budget", "selector", "evaluate_every")
"""Settings in which controls of an arm differ from the baseline."""
_FIRST = ("model", "target", "budget", "train_share", "batch_size", "learning_rate", "optimizer", "schedule")
"""Settings that name groups before others do."""


def split_groups(
    records: Sequence[RunRecord], failures: Sequence[FailureRecord] = ()
) -> tuple[list[RunRecord], list[FailureRecord]]:
    """Name data sets and arms so that runs have the same names only if they differ in nothing but their seed.

    What defines a run are its settings. Runs of several experiments, or of baselines with several models, budgets or
    targets, are groups: each stands for a data set of its own, as in "digits, model cnn". Arms of one group that share
    a name are told apart by the settings in which they differ. Studies form parts of their own and are left as they
    are.

    Args:
        records: Records of any number of data sets and arms.
        failures: Records of runs that failed.

    Returns:
        The same records in the same order, with such names.
    """
    runs, failed = list(records), list(failures)
    for dataset in dict.fromkeys(record.spec.dataset for record in records):
        studied = any(record.analysis and record.spec.dataset == dataset for record in records)
        own = [i for i, record in enumerate(runs) if _is_plain(record, dataset)]
        # Failures of earlier versions do not say what they were made for; beside a study they are its.
        lost = [i for i, item in enumerate(failed) if _is_plain(item, dataset) and (item.about or not studied)]
        labels = _Labels([runs[i] for i in own], apart=studied)
        for i in own:
            runs[i] = labels.rename(runs[i])
        for i in lost:
            failed[i] = labels.rename(failed[i])
    return runs, failed


def base_dataset(record: RunRecord | FailureRecord) -> str:
    """Return the name of the data set of a record, without that of its group."""
    return record.spec.dataset.split(", ")[0]


def _is_plain(record: RunRecord | FailureRecord, dataset: str) -> bool:
    return record.spec.values.get("dataset") == dataset and not record.analysis and record.arm.role != SINGLE


class _Labels:
    """Names of the groups and arms of one data set."""

    def __init__(self, records: Sequence[RunRecord], apart: bool) -> None:
        several = len({_experiment(record) for record in records}) > 1
        self._by = [_EXPERIMENT] if several else []
        self._by += _of_baselines(list(_grouped(records, self._by).values()))
        self._keys = {_key(record, self._by): None for record in records if not record.arm.control_of}
        self._apart = apart
        groups: dict[tuple[str, ...], list[RunRecord]] = {}
        for record in records:
            groups.setdefault(self._group(record), []).append(record)
        self._arms = {
            (key, arm): _differing([record for record in group if record.arm.name == arm])
            for key, group in groups.items()
            for arm in dict.fromkeys(record.arm.name for record in group)
        }

    def rename(self, record: _Record) -> _Record:
        """Return a record with the names of its group and arm."""
        key = self._group(record)
        parts = [f"{name} {value}" for name, value in zip(self._by, key, strict=True)]
        if self._apart and not parts:
            parts = ["apart from the study"]
        varied = self._arms.get((key, record.arm.name), [])
        settings = describe_settings(record, varied)
        if not parts and not settings:
            return record
        spec = RecordedSpec({**record.spec.values, "dataset": ", ".join([record.spec.dataset, *parts])})
        return replace(record, spec=spec, arm=replace(record.arm, name=", ".join([record.arm.name, *settings])))

    def _group(self, record: RunRecord | FailureRecord) -> tuple[str, ...]:
        """Return the group of a record; a control has the settings of a baseline but for those that it changes."""
        key = _key(record, self._by)
        if record.arm.control_of and key not in self._keys:
            kept = [i for i, name in enumerate(self._by) if name not in _OF_CONTROLS]
            like = [other for other in self._keys if all(other[i] == key[i] for i in kept)]
            return like[0] if len(like) == 1 else key
        return key


def _experiment(record: RunRecord | FailureRecord) -> str:
    """Return the name and form of the experiment; earlier versions recorded the command alone."""
    name = record.experiment
    words = (record.about.command or "").split() if record.about else []
    if not name and words[1:2] == ["experiment"] and len(words) > 2:
        name = words[2].rsplit("/", 1)[-1].removesuffix(".toml")
    return " ".join(part for part in (name or "unnamed", record.form if record.form != "full" else "") if part)


def _key(record: RunRecord | FailureRecord, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(_experiment(record) if name == _EXPERIMENT else _setting(record, name) for name in names)


def _setting(record: RunRecord | FailureRecord, name: str) -> str:
    return str(record.spec.values.get(name, BY_DEFAULT))


def _grouped(records: Sequence[RunRecord], names: Sequence[str]) -> dict[tuple[str, ...], list[RunRecord]]:
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in records:
        groups.setdefault(_key(record, names), []).append(record)
    return groups


def _of_baselines(groups: Sequence[Sequence[RunRecord]]) -> list[str]:
    """Return the fewest settings that set baselines apart, and of which the arms have no other values.

    An arm that has a value of its own, such as a tuned rate, does not belong to a baseline by it.
    """
    names: list[str] = []
    for group in groups:
        baselines = [record for record in group if record.arm.role == "baseline"]
        arms = [record for record in group if record.arm.role == "arm"]
        split = [[record for record in baselines if record.arm.name == name] for name in _names(baselines)]
        for name in sorted({name for own in split for name in _differing(own)}, key=_rank):
            values = {_setting(record, name) for record in baselines}
            still_mixed = any(_differing(part) for own in split for part in _grouped(own, names).values())
            if still_mixed and all(_setting(record, name) in values for record in arms) and name not in names:
                names.append(name)
    return names


def _names(records: Sequence[RunRecord]) -> list[str]:
    return list(dict.fromkeys(record.arm.name for record in records))


def _rank(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)


def _differing(records: Sequence[RunRecord]) -> list[str]:
    """Return the settings in which runs of one name differ; controls have budgets and selectors of their arms."""
    skipped = {"dataset", *(_OF_CONTROLS if any(record.arm.control_of for record in records) else ())}
    return [name for name in differing_settings(records) if name not in skipped]
