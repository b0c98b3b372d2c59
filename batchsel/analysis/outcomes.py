"""What became of a run: when it reached a target, or that it missed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from batchsel.core.target import HOLD, Target, first_reached

FORWARD = 1 / 3
"""Cost of a sample that is only scored, in samples trained on: a backward pass costs about two forward passes."""


@dataclass(frozen=True)
class Outcome:
    """A run and a target.

    Args:
        dataset: Name of the data set.
        arm: Name of the arm.
        role: "baseline", "arm", "control" or "single".
        against: Name of the arm that its pairs are formed with.
        control_of: Name of the arm that a control belongs to.
        seed: Seed.
        reached: Whether the target was met twice in a row.
        seconds: On the clock, until the first of the two; until the end if it was missed.
        samples: Samples trained on until then.
        cost: Samples trained on, and a third of those scored, until then.
        steps: Steps until then.
        passes: Samples over n.
        timed: Whether the seconds can be compared: the run had the device alone, among those of its baseline.
        n: Samples in the training part.
        record: The record.
    """

    dataset: str
    arm: str
    role: str
    against: str
    control_of: str
    seed: int
    reached: bool
    seconds: float
    samples: float
    cost: float
    steps: float
    passes: float
    timed: bool
    n: int
    record: Mapping[str, Any]


def outcome(record: Mapping[str, Any], target: str | None = None) -> Outcome:
    """What became of a run.

    Args:
        record: The record.
        target: A target, or None for the one that the run was made for.

    Raises:
        KeyError: If the evaluations lack the target's metric.
    """
    goal = Target.parse(target or record["spec"]["target"])
    points = record["evaluations"]
    position = first_reached([goal.met(point) for point in points], HOLD)
    at_end = {**record["counts"], "seconds": record["seconds"]["training"]}
    point = at_end if position is None else points[position]
    arm, n = record["arm"], record["sizes"]["train"]
    return Outcome(
        dataset=record["spec"]["dataset"],
        arm=arm["name"],
        role=arm["role"],
        against=arm.get("against", ""),
        control_of=arm.get("control_of", ""),
        seed=record["spec"]["seed"],
        reached=position is not None,
        seconds=point["seconds"],
        samples=point["samples"],
        cost=point["samples"] + FORWARD * point["scored"],
        steps=point["steps"],
        passes=point["samples"] / n,
        # Controls of an arm run when the arms have ended: another hour of the machine.
        timed=not record["contended"] and not arm.get("control_of"),
        n=n,
        record=record,
    )


def timed(arms: Mapping[str, Iterable[Mapping[str, Any]]]) -> bool:
    """Whether all runs had the device alone, so that seconds of them may be shown side by side.

    Args:
        arms: Records of each arm.
    """
    return not any(record["contended"] for records in arms.values() for record in records)


def by_arm(outcomes: Iterable[Outcome]) -> dict[str, dict[int, Outcome]]:
    """Outcomes by arm and seed; of runs that were made twice the last.

    Args:
        outcomes: Of one data set and one target.
    """
    found: dict[str, dict[int, Outcome]] = {}
    for item in outcomes:
        found.setdefault(item.arm, {})[item.seed] = item
    return found


def value_at(record: Mapping[str, Any], metric: str, axis: str, limit: float) -> float | None:
    """The metric at the last evaluation up to a limit; None if there is none.

    Args:
        record: The record.
        metric: Name of the metric.
        axis: "seconds", "samples" or "steps".
        limit: Of the axis.
    """
    values = [point[metric] for point in record["evaluations"] if point[axis] <= limit * (1 + 1e-9)]
    return values[-1] if values else None
