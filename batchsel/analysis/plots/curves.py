"""The target's metric over seconds, samples and passes: mean over seeds, with its interval and n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from batchsel.analysis.outcomes import timed
from batchsel.analysis.plots.style import GRAY, Palette, figure, legend_below
from batchsel.analysis.stats import estimates
from batchsel.core.target import Target

AXES = {"seconds": "seconds on the clock", "samples": "samples trained on", "passes": "passes (samples / n)"}


class Course(NamedTuple):
    """How an arm went, at each point of the evaluation grid that all of its runs have."""

    x: list[float]
    """Median over seeds."""
    mean: list[float]
    low: list[float]
    high: list[float]
    n: int


def course(records: Sequence[Mapping[str, Any]], metric: str, axis: str) -> Course:
    """Mean and 95 % interval of a metric over the runs of an arm.

    Args:
        records: Its runs, one a seed.
        metric: Name of the metric.
        axis: "seconds", "samples" or "passes".
    """
    points = min(len(record["evaluations"]) for record in records)
    columns = [[record["evaluations"][i] for record in records] for i in range(points)]
    found = [estimates.mean([point[metric] for point in column]) for column in columns]
    x = [float(np.median([place(point, axis, records[0]) for point in column])) for column in columns]
    return Course(
        x,
        [item.value for item in found],
        [item.value if item.low is None else item.low for item in found],
        [item.value if item.high is None else item.high for item in found],
        len(records),
    )


def place(point: Mapping[str, Any], axis: str, record: Mapping[str, Any]) -> float:
    """Where an evaluation lies on an axis.

    Args:
        point: The evaluation.
        axis: "seconds", "samples" or "passes".
        record: The run that it is of.
    """
    return point["samples"] / record["sizes"]["train"] if axis == "passes" else point[axis]


def draw_courses(
    arms: Mapping[str, Sequence[Mapping[str, Any]]],
    target: str,
    palette: Palette,
    axes_named: Sequence[str] = tuple(AXES),
) -> Any:
    """Curves of all arms, a panel an axis.

    Args:
        arms: Records of each arm.
        target: The target.
        palette: Colors.
        axes_named: Of `AXES` those to draw; seconds are left out unless all runs had the device alone.

    Returns:
        The figure.
    """
    goal = Target.parse(target)
    axes_named = [name for name in axes_named if name != "seconds" or timed(arms)]
    made, axes = figure(columns=len(axes_named), width=3.6 * len(axes_named) + 0.6, height=4.0, sharey=True)
    for one, axis in zip(axes.flat, axes_named, strict=True):
        for name, records in arms.items():
            found = course(records, goal.metric, axis)
            one.plot(
                found.x, found.mean, palette.line(name), color=palette.color(name), label=f"{name} (n = {found.n})"
            )
            one.fill_between(found.x, found.low, found.high, color=palette.color(name), alpha=0.15, linewidth=0)
        one.axhline(goal.threshold, color=GRAY, linewidth=0.8, linestyle="--")
        one.set_xlabel(AXES[axis], fontsize=9)
    first = axes.flat[0]
    first.set_ylabel(f"validation {goal.metric}", fontsize=9)
    first.set_ylim(*_range(arms, goal))
    legend_below(made, first)
    return made


def _range(arms: Mapping[str, Sequence[Mapping[str, Any]]], goal: Target) -> tuple[float, float]:
    """The range around the target that is worth looking at: the first evaluations may lie far off."""
    values = [point[goal.metric] for runs in arms.values() for record in runs for point in record["evaluations"]]
    low, high = np.quantile(values, 0.1 if goal.rising else 0.0), np.quantile(values, 1.0 if goal.rising else 0.9)
    low, high = min(low, goal.threshold), max(high, goal.threshold)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)
