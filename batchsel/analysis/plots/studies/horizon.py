"""Draw final metrics against budgets, one line for each arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis.plots.style import Palette, figure, legend_below, log_scale
from batchsel.analysis.stats import estimates
from batchsel.analysis.studies.horizon import Horizons, Point, horizons, is_timed, mean_samples
from batchsel.analysis.studies.study_parts import split_into_parts
from batchsel.experiments.run.run_record import RunRecord


def draw_horizons(arms: Mapping[str, Sequence[RunRecord]], palette: Palette) -> Any:
    """Draw the mean final metric of each arm against the samples of its budget, and against seconds where these count.

    Args:
        arms: Records of each arm.
        palette: Not used: colors are those of the arms at all budgets.

    Returns:
        The figure, or None if no part is a study of horizons.
    """
    records = [record for runs in arms.values() for record in runs]
    results = [(part, horizons(part)) for part in split_into_parts(records, "horizon")]
    known = [(part, result) for part, result in results if not isinstance(result, str)]
    if not known:
        return None
    columns = 2 if any(_is_timed(result) for _, result in known) else 1
    fig, axes = figure(columns, len(known), 9.0 if columns == 2 else 6.0, 3.6 * len(known))
    for row, (part, result) in zip(axes, known, strict=True):
        _draw(row[0], result, mean_samples)
        row[0].set_xlabel("samples trained on", fontsize=9)
        row[0].set_ylabel(result.unit.axis, fontsize=9)
        if columns == 2 and _is_timed(result):
            _draw(row[1], result, _mean_seconds)
            row[1].set_xlabel("seconds of training", fontsize=9)
        elif columns == 2:
            row[1].set_axis_off()
        if len(known) > 1:
            row[0].set_title(part.place, fontsize=9, loc="left")
    legend_below(fig, axes[0, 0])
    return fig


def _draw(ax: Any, result: Horizons, budget: Any) -> None:
    palette = Palette(list(result.points))
    for arm, by_budget in result.points.items():
        points = [point for point in by_budget.values() if budget is mean_samples or is_timed(point)]
        if not points:
            continue
        used = [budget(point) for point in points]
        means = [estimates.over_seeds(list(point.finals.values())) for point in points]
        color = palette.color(arm)
        ax.plot(
            used, [mean.value for mean in means], palette.line(arm), color=color, marker="o", markersize=4, label=arm
        )
        for x, mean in zip(used, means, strict=True):
            if mean.low is not None:
                ax.plot([x, x], [mean.low, mean.high], color=color, linewidth=1.4, alpha=0.5)
    log_scale(ax.xaxis)


def _mean_seconds(point: Point) -> float:
    return sum(run.seconds.training for run in point.records.values()) / len(point.records)


def _is_timed(result: Horizons) -> bool:
    return all(is_timed(point) for point in result.points[result.base].values())
