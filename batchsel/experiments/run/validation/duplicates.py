"""Records of the same run: which of them counts, whatever the order of their lines.

The same settings and seed give the same samples but other seconds, so the choice moves ratios of time. A record of a
run that had the device to itself goes before one that shared it; then the one that was started first; of those, the one
with the smallest digest of its contents.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from batchsel.experiments.run.run_record import FailureRecord, RunRecord

_T = TypeVar("_T")
SINGLE = "single"


class Chosen(NamedTuple):
    """Records of which no two are of the same run."""

    runs: list[RunRecord]
    failures: list[FailureRecord]
    """Failures of runs that no record replaces, each message once for each run."""
    notes: list[str]
    """Sentences on runs that were recorded several times with different outcomes."""


def choose_by_key(
    records: Iterable[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], Hashable]
) -> dict[Hashable, Any]:
    """Return one record for each key.

    Args:
        records: Records of runs that ended, as `records.read` returns them.
        key: Function of a record that is the same for records of the same run.

    Example:
        >>> late = {"digest": "a", "contended": False, "started": "2026-11-22"}
        >>> early, shared = late | {"started": "2026-11-21"}, late | {"started": "2026-11-20", "contended": True}
        >>> all(
        ...     choose_by_key(some, lambda record: record["digest"])["a"] is early
        ...     for some in ([late, early, shared], [shared, early, late])
        ... )
        True
    """
    groups = _group(records, key)
    return {name: group[0] if len(group) == 1 else min(group, key=_order_of_values) for name, group in groups.items()}


def choose(runs: Sequence[RunRecord], failures: Sequence[FailureRecord] = ()) -> Chosen:
    """Choose one record for each run, which its arm and settings define, and the failures that no record replaces.

    Single runs are all kept, since nothing is made of several; only copies are dropped.

    Args:
        runs: Records of runs that ended.
        failures: Records of runs that failed.
    """
    groups = _group(runs, _run_key)
    kept: list[RunRecord] = []
    notes: dict[str, list[int]] = {}
    for group in groups.values():
        distinct = group if len(group) == 1 else list({_contents(record): record for record in group}.values())
        if distinct[0].arm.role == SINGLE:
            kept += distinct
            continue
        kept.append(min(distinct, key=_order_of_record) if len(distinct) > 1 else distinct[0])
        if len(distinct) > 1:
            notes.setdefault(_describe(distinct), []).append(distinct[0].spec.seed)
    done = {(record.arm.name, record.digest) for record in runs}
    open_failures = _group(
        (failure for failure in failures if (failure.arm.name, failure.digest) not in done),
        lambda failure: (failure.arm.name, failure.digest, failure.failed),
    )
    return Chosen(kept, [group[0] for group in open_failures.values()], list(map(_sentence, notes.items())))


def prefer(one: RunRecord | None, other: RunRecord) -> RunRecord:
    """Return that of two records of the same run which counts.

    Args:
        one: A record, or None.
        other: Another one.
    """
    if one is None:
        return other
    first, second = (one.contended, one.started), (other.contended, other.started)
    if first == second:  # only then are contents compared, which takes long for records with images
        return min(one, other, key=_contents)
    return one if first < second else other


def _run_key(record: RunRecord) -> Hashable:
    arm = record.arm
    # Controls of an arm are made again, with another budget, when seeds are added; of those one counts.
    own = "" if arm.control_of else record.digest
    question = record.about.question if record.about else ""
    experiment = record.experiment, record.form, question
    return record.spec.dataset, arm.name, arm.role == SINGLE, own, record.spec.seed, experiment


def _describe(records: Sequence[RunRecord]) -> str:
    first = records[0]
    several = len({record.digest for record in records}) > 1
    return f"{first.spec.dataset}, {first.arm.name}" + (" (with different settings)" if several else "")


def _sentence(item: tuple[str, list[int]]) -> str:
    name, seeds = item
    shown = ", ".join(map(str, sorted(seeds)[:10])) + (", ..." if len(seeds) > 10 else "")
    return (
        f"{name}: recorded several times with different outcomes for seed{'' if len(seeds) == 1 else 's'} {shown}; of"
        " each, the run that had the device to itself and was started first counts"
    )


def _group(records: Iterable[_T], key: Callable[[_T], Hashable]) -> dict[Hashable, list[_T]]:
    groups: dict[Hashable, list[_T]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


def _order_of_values(record: Mapping[str, Any]) -> tuple[bool, str, str]:
    return record["contended"], record["started"], _digest(json.dumps(record, sort_keys=True))


def _order_of_record(record: RunRecord) -> tuple[bool, str, str]:
    return record.contended, record.started, _contents(record)


def _contents(record: RunRecord) -> str:
    return _digest(json.dumps(dataclasses.asdict(record), sort_keys=True, default=str))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
