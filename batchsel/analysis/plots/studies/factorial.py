"""Draw a factorial study: its effects with their intervals, and the interaction of two factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis.final_metrics import MetricUnit, study_unit
from batchsel.analysis.plots.style import GRAY, INK, Palette, bar, figure, legend_below, panel_figure
from batchsel.analysis.stats import estimates
from batchsel.analysis.studies.factorial import Factorial, factorial
from batchsel.analysis.studies.study_parts import StudyPart, split_into_parts
from batchsel.experiments.run.run_record import RunRecord

Arms = Mapping[str, Sequence[RunRecord]]


def draw_effects(arms: Arms, palette: Palette) -> Any:
    """Draw main effects and interactions on the final metric, one row each.

    Args:
        arms: Records of each arm.
        palette: Not used: rows are effects, not arms.

    Returns:
        The figure, or None if there are no effects.
    """
    known = _known(arms)
    if not known:
        return None
    rows = [(part, result, unit, effect) for part, result, unit in known for effect in result.effects]
    fig, axes = figure(width=6.6, height=0.9 + 0.36 * len(rows))
    ax, colors = axes[0, 0], Palette(["", *(part.place for part, *_ in known)])
    for row, (part, _, unit, effect) in enumerate(rows):
        bar(ax, row, effect.estimate, colors.color(part.place), unit.format(effect.estimate, True).split(" ")[0])
    ax.axvline(0, color=GRAY, linewidth=1)
    names = [" × ".join(effect.factors) for *_, effect in rows]
    if len(known) > 1:
        names = [f"{_short(part)}: {name}" for (part, *_), name in zip(rows, names, strict=True)]
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - 0.4, -0.75)
    ax.margins(x=0.08)
    unit = rows[0][2]
    interval = " (95 % interval)" if any(effect.estimate.low is not None for *_, effect in rows) else " (no intervals)"
    ax.set_xlabel(f"effect on test {unit.metric}{', points' if unit.name else ''}{interval}", fontsize=9)
    return fig


def draw_interaction(arms: Arms, palette: Palette) -> Any:
    """Draw the final metric of the four combinations of two factors; without an interaction the lines are parallel.

    Args:
        arms: Records of each arm.
        palette: Not used: lines are levels, not arms.

    Returns:
        The figure, or None if no part has two factors and a seed with all combinations.
    """
    known = [item for item in _known(arms) if len(item[1].factors) == 2]
    if not known:
        return None
    fig, axes = panel_figure(len(known), width=4.2, height=3.3)
    for ax, (part, result, unit) in zip(axes, known, strict=True):
        _panel(ax, result, unit)
        ax.set_title(part.place, fontsize=9, loc="left")
    legend_below(fig, axes[0])
    return fig


def _panel(ax: Any, result: Factorial, unit: MetricUnit) -> None:
    first, second = result.factors
    colors = Palette((second.base, second.other))
    for other, level in enumerate((second.base, second.other)):
        color, shift = colors.color(level), 0.03 * (2 * other - 1)
        values = [[row[(one, other)] for row in result.values.values()] for one in (0, 1)]
        means = [estimates.over_seeds(runs, *unit.bounds) for runs in values]
        x = [place + shift for place in (0, 1)]
        style = "-" if other else "--"
        ax.plot(x, [mean.value for mean in means], style, marker="o", color=color, label=f"{second.name} {level}")
        for place, runs, mean in zip(x, values, means, strict=True):
            if mean.low is not None:
                ax.plot([place, place], [mean.low, mean.high], color=color, linewidth=1.6)
                ax.plot([place + 2.5 * shift] * len(runs), runs, ".", color=color, markersize=4, alpha=0.45)
    ax.set_xticks([0, 1], [f"{first.name} {first.base}", f"{first.name} {first.other}"], color=INK)
    ax.set_xlim(-0.35, 1.35)
    ax.set_ylabel(unit.axis, fontsize=9)


def _known(arms: Arms) -> list[tuple[StudyPart, Factorial, MetricUnit]]:
    parts = split_into_parts([record for runs in arms.values() for record in runs], "factorial")
    results = [(part, factorial(part), study_unit(part.records, part.analysis)) for part in parts]
    return [(part, result, unit) for part, result, unit in results if not isinstance(result, str) and result.effects]


def _short(part: StudyPart) -> str:
    return ", ".join(part.where.values()) or part.dataset
