"""Draw what varied over a run: learning rate as used, rates of layer groups, momentum, blur, resolution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import Palette, legend_below, log_scale, panel_figure, shades
from batchsel.experiments.run.record_parts import LoggedSchedules
from batchsel.experiments.run.run_record import RunRecord

Arms = Mapping[str, Sequence[RunRecord]]
_RATE, _GROUP = ("learning rate", "learning_rate"), "rate of "
_UNITS = {"blur sigma": "blur σ (pixels)", "height": "height (pixels)"}
"""Axis labels where the name does not include the unit."""
_DECADES = 30.0
"""Rates of layer groups that differ by more than this factor are drawn on a logarithmic axis."""
Line = tuple[Sequence[float], Sequence[float]]


def schedule_lines(record: RunRecord) -> dict[str, Line]:
    """Return samples and values of everything that is known to have varied over a run.

    Without a schedule log these are the learning rates at its evaluations.
    """
    if record.schedule_log:
        return log_lines(record.schedule_log)
    rates = record.history.get(_RATE[1])
    if not rates:
        return {}
    samples = [point.samples for point in record.evaluations][: len(rates)]
    return {_RATE[0]: (samples, rates[: len(samples)])}


def log_lines(log: LoggedSchedules) -> dict[str, Line]:
    """Return samples and values by name.

    Example:
        >>> log_lines(LoggedSchedules(["momentum"], [0, 10], [[0.9], [0.95]]))
        {'momentum': ([0, 10], (0.9, 0.95))}
    """
    columns = zip(*log.values, strict=True)
    named = {name: (log.samples, column) for name, column in zip(log.names, columns, strict=False)}
    return {_RATE[0] if name in _RATE else name: line for name, line in named.items()}


def draw_learning_rates(arms: Arms, palette: Palette) -> Any:
    """Draw the learning rate over samples, and a panel for each arm whose groups of layers have different rates.

    Args:
        arms: Records of each arm; the first of each is drawn.
        palette: Colors.

    Returns:
        The figure, or None if no arm recorded any.
    """
    known = {name: schedule_lines(records[0]) for name, records in arms.items()}
    rates = {name: found[_RATE[0]] for name, found in known.items() if _RATE[0] in found}
    groups = {
        name: {key: line for key, line in found.items() if key.startswith(_GROUP)} for name, found in known.items()
    }
    groups = {name: lines for name, lines in groups.items() if len({tuple(values) for _, values in lines.values()}) > 1}
    panels = int(bool(rates)) + len(groups)
    if not panels:
        return None
    fig, axes = panel_figure(panels, width=5.4 if panels == 1 else 4.5, height=2.9)
    rest = list(axes)
    if rates:
        ax = rest.pop(0)
        for name, line in rates.items():
            ax.plot(*line, palette.line(name), color=palette.color(name), label=name)
        _label_axes(ax, "learning rate")
    for ax, (name, lines) in zip(rest, groups.items(), strict=True):
        _groups(ax, lines)
        ax.set_title(name, fontsize=9, loc="left", color=palette.color(name))
    legend_below(fig, axes[0])
    return fig


def draw_schedules(arms: Arms, palette: Palette) -> Any:
    """Draw everything except learning rates that varied over samples, one panel each.

    Args:
        arms: Records of each arm; the first of each is drawn.
        palette: Colors.

    Returns:
        The figure, or None if nothing varied.
    """
    panels: dict[str, dict[str, Line]] = {}
    for arm, records in arms.items():
        for name, line in schedule_lines(records[0]).items():
            if name != _RATE[0] and not name.startswith(_GROUP):
                panels.setdefault(name, {})[arm] = line
    panels = {name: lines for name, lines in panels.items() if _varies(lines.values())}
    if not panels:
        return None
    fig, axes = panel_figure(len(panels), width=5.4 if len(panels) == 1 else 4.5, height=2.7)
    for ax, (name, lines) in zip(axes, panels.items(), strict=True):
        for arm, line in lines.items():
            ax.plot(*line, palette.line(arm), color=palette.color(arm), label=arm)
        _label_axes(ax, _UNITS.get(name, name))
    legend_below(fig, *axes)
    return fig


def _varies(lines: Any) -> bool:
    return len({value for _, values in lines for value in values}) > 1


def _groups(ax: Any, lines: Mapping[str, Line]) -> None:
    """Draw rates from the first group (dark) to the last; only the first and last of many are labeled."""
    colors = shades(len(lines))
    for place, (name, line) in enumerate(lines.items()):
        ax.plot(*line, color=colors[place], linewidth=1.2, label=name.removeprefix(_GROUP))
    values = np.array([value for _, column in lines.values() for value in column], float)
    if (values > 0).all() and values.max() / values.min() > _DECADES and math.isfinite(values.max()):
        log_scale(ax.yaxis)
    _label_axes(ax, "rate of a group of layers")
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) > 6:
        handles, labels = [handles[0], handles[-1]], [f"{labels[0]} (first)", f"{labels[-1]} (last)"]
    ax.legend(handles, labels, frameon=False, fontsize=7, loc="best")


def _label_axes(ax: Any, name: str) -> None:
    ax.set_xlabel("samples trained on", fontsize=9)
    ax.set_ylabel(name, fontsize=9)
