"""Draw full, pruned and shortened training side by side, and their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import GRAY, Palette, bar, figure
from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import FEWEST
from batchsel.analysis.studies.budgets import ROLES, Budgets, budgets
from batchsel.analysis.studies.study_parts import split_into_parts
from batchsel.experiments.run.run_record import RunRecord


def draw_budgets(arms: Mapping[str, Sequence[RunRecord]], palette: Palette) -> Any:
    """Draw the final metric of every run with means, and the paired differences with their intervals.

    Args:
        arms: Records of each arm.
        palette: Not used: colors are those of the three roles.

    Returns:
        The figure, or None if the three do not share a seed.
    """
    records = [record for runs in arms.values() for record in runs]
    results = [(part, budgets(part)) for part in split_into_parts(records, "budgets")]
    known = [(part, result) for part, result in results if not isinstance(result, str) and result.differences]
    if not known:
        return None
    fig, axes = figure(columns=2, rows=len(known), width=9.0, height=2.3 * len(known))
    for (left, right), (part, result) in zip(axes, known, strict=True):
        _values(left, result)
        _differences(right, result)
        if len(known) > 1:
            left.set_title(part.place, fontsize=9, loc="left")
    return fig


def _values(ax: Any, result: Budgets) -> None:
    palette = Palette(ROLES)
    for row, role in enumerate(ROLES):
        values = result.finals[role]
        for seed, value in values.items():
            y = row + 0.16 + 0.14 * np.modf(seed * 0.618)[0]
            ax.plot(value, y, ".", color=palette.color(role), markersize=4, alpha=0.45)
        mean = estimates.over_seeds(list(values.values()), *result.unit.bounds)
        bar(ax, row, mean, palette.color(role), result.unit.number(mean.value))
    ax.set_yticks(range(len(ROLES)), [result.names[role] for role in ROLES])
    ax.set_ylim(len(ROLES) - 0.45, -0.7)
    ax.margins(x=0.1)
    ax.set_xlabel(f"{result.unit.axis}{_interval_label(result)}", fontsize=9)


def _differences(ax: Any, result: Budgets) -> None:
    palette = Palette(ROLES)
    for row, item in enumerate(result.differences.values()):
        bar(ax, row, item.final, palette.color(item.left), result.unit.number(item.final.value, True))
    ax.axvline(0, color=GRAY, linewidth=1)
    if result.margin is not None:
        margin = -result.margin if result.unit.rising else result.margin
        ax.axvline(margin, color=GRAY, linewidth=1, linestyle=":")
        ax.annotate("margin", (margin, -0.7), xytext=(3, -9), textcoords="offset points", fontsize=7, color=GRAY)
    names = [f"{result.names[item.left]} − {result.names[item.right]}" for item in result.differences.values()]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.7)
    ax.margins(x=0.1)
    unit = f", {result.unit.name}" if result.unit.name else ""
    ax.set_xlabel(f"difference of test {result.unit.metric}{unit}{_interval_label(result)}", fontsize=9)


def _interval_label(result: Budgets) -> str:
    most = max(len(values) for values in result.finals.values())
    if most >= FEWEST:
        return " (95 % interval)"
    return " (one seed)" if most == 1 else f" ({most} seeds)"
