"""Outcome of a run: whether and when it reached its target."""

from __future__ import annotations

import bisect
import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from batchsel.core.target import HOLD, Target, first_reached
from batchsel.experiments.run.record_parts import ROLES
from batchsel.experiments.run.run_record import RunRecord
from batchsel.experiments.run.validation.duplicates import prefer

_OUTCOME = "outcome"
_SECONDS = operator.attrgetter("seconds")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)")
FORWARD = 1 / 3
"""Cost of a sample that is only scored, in samples trained on: a backward pass costs about two forward passes."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run at a target.

    Args:
        dataset: Name of the data set.
        arm: Name of the arm.
        role: "baseline", "arm", "control" or "single".
        against: Name of the arm that its pairs are formed with.
        control_of: Name of the arm that a control belongs to.
        seed: Seed.
        reached: True if the target was met twice in a row.
        position: Index of the first of these two evaluations; None if the run missed the target.
        seconds: Seconds on the clock until the first of the two; until the end if the run missed the target.
        samples: Samples trained on until then.
        cost: Samples trained on plus a third of those only scored, until then.
        steps: Steps until then.
        passes: Samples trained on until then, divided by n.
        timed: True if the seconds can be compared: the run had the device to itself, at the time of its baseline.
        n: Samples in the training part.
        record: Record of the run.
    """

    dataset: str
    arm: str
    role: str
    against: str
    control_of: str
    seed: int
    reached: bool
    position: int | None
    seconds: float
    samples: float
    cost: float
    steps: float
    passes: float
    timed: bool
    n: int
    record: RunRecord


def outcome(record: RunRecord, target: str | None = None) -> Outcome:
    """Return whether and when a run reached a target.

    Args:
        record: Record of the run.
        target: A target, or None for the one that the run was made for.

    Raises:
        KeyError: If the evaluations lack the target's metric.
    """
    text = target or record.spec.target
    known = record.derived.get((_OUTCOME, text))
    if known is None:
        known = record.derived[_OUTCOME, text] = _compute_outcome(record, Target.parse(text))
    return known


def _compute_outcome(record: RunRecord, goal: Target) -> Outcome:
    position = first_reached((goal.is_met_by(point.values) for point in record.evaluations), HOLD)
    counts, seconds = record.counts, record.seconds.training
    if position is not None:
        counts, seconds = record.evaluations[position], record.evaluations[position].seconds
    arm, n = record.arm, record.sizes.train
    return Outcome(
        dataset=record.spec.dataset,
        arm=arm.name,
        role=arm.role,
        against=arm.against,
        control_of=arm.control_of,
        seed=record.spec.seed,
        reached=position is not None,
        position=position,
        seconds=seconds,
        samples=counts.samples,
        cost=counts.samples + FORWARD * counts.scored,
        steps=counts.steps,
        passes=counts.samples / n,
        # Controls of an arm run after all arms have ended, when the machine may be faster or slower.
        # A clock that stood at zero measured nothing.
        timed=not record.contended and not arm.control_of and min(map(_SECONDS, record.evaluations), default=1) > 0,
        n=n,
        record=record,
    )


def position_on(axis: str, point: Any) -> float:
    """Return where an evaluation, or the counts of a run, lie on an axis.

    Args:
        axis: "seconds", "samples" or "cost".
        point: The evaluation or counts.
    """
    return point.samples + FORWARD * point.scored if axis == "cost" else getattr(point, axis)


def device_of(record: RunRecord) -> str:
    """Return the name of what a run was trained on: its GPU, or the processor.

    Args:
        record: Record of the run.
    """
    machine = record.machine  # as the file has it: anything may stand there
    return str(machine.get("gpu") or ("GPU" if "GPU" in str(machine.get("devices")) else machine.get("processor")))


def on_unlike_devices(records: Iterable[RunRecord]) -> bool:
    """Return True if runs took place on devices of several kinds, so that their seconds cannot be compared.

    Args:
        records: Records of the runs.
    """
    return len(set(map(device_of, records))) > 1


def seconds_count(records: Iterable[RunRecord]) -> bool:
    """Return True if seconds can be compared: every run had the device to itself, and all devices are alike.

    Args:
        records: Records of the runs.
    """
    records = list(records)
    return not any(record.contended for record in records) and not on_unlike_devices(records)


def all_timed(arms: Mapping[str, Iterable[RunRecord]]) -> bool:
    """Return True if the seconds of all runs may be shown side by side.

    Args:
        arms: Records of each arm.
    """
    return seconds_count(record for records in arms.values() for record in records)


def group_by_arm(outcomes: Iterable[Outcome]) -> dict[str, dict[int, Outcome]]:
    """Return outcomes by arm and seed; where a run was made twice, that which counts by `duplicates.prefer`.

    Args:
        outcomes: Outcomes for one data set and one target.
    """
    grouped: dict[str, dict[int, Outcome]] = {}
    for item in outcomes:
        runs = grouped.setdefault(item.arm, {})
        known = runs.get(item.seed)
        if known is None or prefer(known.record, item.record) is item.record:
            runs[item.seed] = item
    return grouped


def arm_order(role: str, name: str) -> tuple[Any, ...]:
    """Return a key that sorts arms as they are shown: by role, then by name, numbers in it by their size.

    Args:
        role: One of `ROLES`.
        name: Name of the arm.

    Example:
        >>> sorted(["batch size 128", "batch size 16", "a"], key=lambda name: arm_order("arm", name))
        ['a', 'batch size 16', 'batch size 128']
    """
    parts = [float(part) if place % 2 else part for place, part in enumerate(_NUMBER.split(name))]
    return ROLES.index(role), parts, name


def value_at(record: RunRecord, metric: str, axis: str, limit: float) -> float | None:
    """Return the metric at the last evaluation up to a limit, or None if there is none.

    Args:
        record: Record of the run.
        metric: Name of the metric.
        axis: "seconds", "samples" or "steps".
        limit: The limit on that axis.
    """
    within = bisect.bisect_right(record.evaluations, limit * (1 + 1e-9), key=operator.attrgetter(axis))
    return record.evaluations[within - 1].values[metric] if within else None
