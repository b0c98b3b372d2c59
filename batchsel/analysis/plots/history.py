"""Draw accuracy and loss on the training and the validation part over the passes, with bands over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis.plots.curves import AXES, LearningCurve, draw_curve, mean_curve, median_positions
from batchsel.analysis.plots.style import Palette, figure, legend_below
from batchsel.core.target import Target
from batchsel.experiments.run.run_record import RunRecord

Arms = Mapping[str, Sequence[RunRecord]]
_WIDTH, _HEIGHT = 4.4, 3.2


def draw_history(arms: Arms, palette: Palette) -> Any:
    """Draw the metric of the target and the loss, each on the training and the validation part.

    Args:
        arms: Records of each arm of one data set.
        palette: Colors.

    Returns:
        The figure, or None if the records hold no training metrics.
    """
    metric = Target.parse(next(iter(arms.values()))[0].spec.target).metric
    return _draw(arms, palette, list(dict.fromkeys([metric, "loss"])))


def draw_loss(arms: Arms, palette: Palette) -> Any:
    """Draw the loss on the training and the validation part; see `draw_history`."""
    return _draw(arms, palette, ["loss"])


def _draw(arms: Arms, palette: Palette, metrics: Sequence[str]) -> Any:
    known = [name for name in metrics if all(name in run.history for runs in arms.values() for run in runs)]
    if not known:
        return None
    passes = {name: _passes(runs) for name, runs in arms.items()}
    fig, axes = figure(2, len(known), 2 * _WIDTH, _HEIGHT * len(known), sharex=True, sharey="row")
    for row, metric in zip(axes, known, strict=True):
        for ax, part in zip(row, ("training", "validation"), strict=True):
            for name, runs in arms.items():
                draw_curve(ax, _mean_curve(runs, part, metric, passes[name]), name, palette)
            ax.set_title(f"{part} {metric}", fontsize=10)
        row[0].set_ylabel(metric, fontsize=9)
    for ax in axes[-1]:
        ax.set_xlabel(AXES["passes"], fontsize=9)
    legend_below(fig, axes.flat[0])
    return fig


def _passes(runs: Sequence[RunRecord]) -> list[float]:
    """Return the passes at the evaluations that all runs have."""
    points = min(len(run.evaluations) for run in runs)
    return (median_positions(runs, points, "samples") / runs[0].sizes.train).tolist()


def _mean_curve(runs: Sequence[RunRecord], part: str, metric: str, passes: Sequence[float]) -> LearningCurve:
    points = min(min(len(run.evaluations), len(run.history[metric])) for run in runs)
    values: list[list[float | None]]
    if part == "training":
        values = [list(run.history[metric][:points]) for run in runs]
    else:
        values = [[point.values.get(metric) for point in run.evaluations[:points]] for run in runs]
    return mean_curve(values, list(passes[:points]), metric)
