"""Draw learning curves: the target's metric over seconds, samples and passes, with interval and n."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from batchsel.analysis.outcomes import all_timed
from batchsel.analysis.plots.style import GRAY, Palette, figure, legend_below
from batchsel.analysis.stats import estimates
from batchsel.core.target import Target
from batchsel.experiments.run.run_record import RunRecord

AXES = {"seconds": "seconds on the clock", "samples": "samples trained on", "passes": "passes (samples / n)"}


class LearningCurve(NamedTuple):
    """Mean of a metric over the runs of an arm, at each evaluation that all of them have."""

    x: list[float]
    """Median over seeds."""
    mean: list[float]
    low: list[float]
    high: list[float]
    n: int


def learning_curves(records: Sequence[RunRecord], metric: str, axes: Sequence[str]) -> dict[str, LearningCurve]:
    """Return mean and 95 % interval of a metric over the runs of an arm, over several axes.

    Args:
        records: Runs of the arm, one for each seed.
        metric: Name of the metric.
        axes: Names from `AXES`.
    """
    points = min(len(record.evaluations) for record in records)
    values = [[point.values[metric] for point in record.evaluations[:points]] for record in records]
    curve = mean_curve(values, [], metric)
    at = {name: median_positions(records, points, name) for name in dict.fromkeys(map(_counted, axes))}
    n = records[0].sizes.train
    return {axis: curve._replace(x=(at[_counted(axis)] / (n if axis == "passes" else 1)).tolist()) for axis in axes}


def mean_curve(values: Sequence[Sequence[float | None]], x: list[float], metric: str) -> LearningCurve:
    """Return mean and 95 % interval of a metric at each point.

    Args:
        values: One row for each run, all of the same length; None where a run has no value.
        x: The place of each point.
        metric: Name of the metric.
    """
    bounds = estimates.share_bounds(metric)
    means = [estimates.mean(column, *bounds) for column in np.array(values, float).T]
    return LearningCurve(
        x,
        [item.value for item in means],
        [item.value if item.low is None else item.low for item in means],
        [item.value if item.high is None else item.high for item in means],
        len(values),
    )


def draw_curve(axes: Any, curve: LearningCurve, name: str, palette: Palette) -> None:
    """Draw the curve of an arm, with its interval as a band.

    Args:
        axes: Axes to draw on.
        curve: The curve.
        name: Name of the arm.
        palette: Colors.
    """
    color, single = palette.color(name), len(curve.x) == 1  # a line or band of one point is invisible
    marker = "o" if single else ""
    axes.plot(
        curve.x,
        curve.mean,
        palette.line(name),
        color=color,
        label=f"{name} (n = {curve.n})",
        marker=marker,
        markersize=4,
    )
    if single:
        axes.vlines(curve.x, curve.low, curve.high, color=color, alpha=0.3, linewidth=3)
    axes.fill_between(curve.x, curve.low, curve.high, color=color, alpha=0.15, linewidth=0)


def _counted(axis: str) -> str:
    return "samples" if axis == "passes" else axis


def median_positions(records: Sequence[RunRecord], points: int, name: str) -> np.ndarray:
    """Return the seconds or samples at the first evaluations of runs, the median over the runs.

    Args:
        records: Records of runs.
        points: Number of evaluations.
        name: "seconds" or "samples".
    """
    position = operator.attrgetter(name)
    positions = [list(map(position, record.evaluations[:points])) for record in records]
    return np.median(np.array(positions, float), axis=0)


def draw_learning_curves(
    arms: Mapping[str, Sequence[RunRecord]], target: str, palette: Palette, axis_names: Sequence[str] = tuple(AXES)
) -> Any:
    """Draw the curves of all arms, one panel for each axis.

    Args:
        arms: Records of each arm.
        target: Text form of the target.
        palette: Colors.
        axis_names: Names of the axes, from `AXES`; seconds are left out unless every run had the device to itself.

    Returns:
        The figure.
    """
    goal = Target.parse(target)
    axis_names = [name for name in axis_names if name != "seconds" or all_timed(arms)]
    fig, axes = figure(columns=len(axis_names), width=3.6 * len(axis_names) + 0.6, height=4.0, sharey=True)
    found = {name: learning_curves(records, goal.metric, axis_names) for name, records in arms.items()}
    for ax, axis in zip(axes.flat, axis_names, strict=True):
        for name, curves in found.items():
            draw_curve(ax, curves[axis], name, palette)
        ax.axhline(goal.threshold, color=GRAY, linewidth=0.8, linestyle="--")
        ax.set_xlabel(AXES[axis], fontsize=9)
    first = axes.flat[0]
    first.set_ylabel(f"validation {goal.metric}", fontsize=9)
    first.set_ylim(*_range(arms, goal))
    legend_below(fig, first)
    return fig


def _range(arms: Mapping[str, Sequence[RunRecord]], goal: Target) -> tuple[float, float]:
    """Return the range of values around the target, without outliers among the first evaluations."""
    every = (point.values for runs in arms.values() for record in runs for point in record.evaluations)
    values = np.array([point[goal.metric] for point in every], float)
    low, high = np.quantile(values, 0.1 if goal.rising else 0.0), np.quantile(values, 1.0 if goal.rising else 0.9)
    low, high = float(min(low, goal.threshold)), float(max(high, goal.threshold))
    return low - 0.05 * (high - low), high + 0.05 * (high - low)
