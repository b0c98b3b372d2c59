"""What varied over a run: the learning rate that was really used, rates of layer groups, momentum, blur, resolution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import Palette, legend_below, log_scale, many, shades

Arms = Mapping[str, Sequence[Mapping[str, Any]]]
_RATE, _GROUP = ("learning rate", "learning_rate"), "rate of "
_UNITS = {"blur sigma": "blur σ (pixels)", "height": "height (pixels)"}
"""How things are named on an axis, where their name does not tell the unit."""
_DECADES = 30.0
"""Rates of layer groups that lie further apart than this factor are drawn on a logarithmic axis."""
Line = tuple[Sequence[float], Sequence[float]]


def courses(record: Mapping[str, Any]) -> dict[str, Line]:
    """Samples and values of everything that is known to have varied over a run.

    Args:
        record: Its record; without a "course" the learning rates at its evaluations.

    Example:
        >>> courses({"course": {"names": ["momentum"], "samples": [0, 10], "values": [[0.9], [0.95]]}})
        {'momentum': ([0, 10], (0.9, 0.95))}
    """
    course = record.get("course")
    if course:
        columns = zip(*course["values"], strict=True)
        named = {name: (course["samples"], column) for name, column in zip(course["names"], columns, strict=False)}
        return {_RATE[0] if name in _RATE else name: line for name, line in named.items()}
    rates = record["history"].get(_RATE[1])
    if not rates:
        return {}
    samples = [point["samples"] for point in record["evaluations"]][: len(rates)]
    return {_RATE[0]: (samples, rates[: len(samples)])}


def draw_learning_rates(arms: Arms, palette: Palette) -> Any:
    """The learning rate over samples; where groups of layers differ in theirs, those too, a panel for each such arm.

    Args:
        arms: Records of each arm, of which the first is drawn.
        palette: Colors.

    Returns:
        The figure, or None if no arm recorded any.
    """
    known = {name: courses(records[0]) for name, records in arms.items()}
    rates = {name: found[_RATE[0]] for name, found in known.items() if _RATE[0] in found}
    groups = {
        name: {key: line for key, line in found.items() if key.startswith(_GROUP)} for name, found in known.items()
    }
    groups = {name: lines for name, lines in groups.items() if len({tuple(values) for _, values in lines.values()}) > 1}
    panels = int(bool(rates)) + len(groups)
    if not panels:
        return None
    made, axes = many(panels, width=5.4 if panels == 1 else 4.5, height=2.9)
    rest = list(axes)
    if rates:
        ax = rest.pop(0)
        for name, line in rates.items():
            ax.plot(*line, palette.line(name), color=palette.color(name), label=name)
        _labeled(ax, "learning rate")
    for ax, (name, lines) in zip(rest, groups.items(), strict=True):
        _groups(ax, lines)
        ax.set_title(name, fontsize=9, loc="left", color=palette.color(name))
    legend_below(made, axes[0])
    return made


def draw_course(arms: Arms, palette: Palette) -> Any:
    """Everything besides learning rates that varied over samples, a panel each.

    Args:
        arms: Records of each arm, of which the first is drawn.
        palette: Colors.

    Returns:
        The figure, or None if nothing varied.
    """
    panels: dict[str, dict[str, Line]] = {}
    for arm, records in arms.items():
        for name, line in courses(records[0]).items():
            if name != _RATE[0] and not name.startswith(_GROUP):
                panels.setdefault(name, {})[arm] = line
    panels = {name: lines for name, lines in panels.items() if _varies(lines.values())}
    if not panels:
        return None
    made, axes = many(len(panels), width=5.4 if len(panels) == 1 else 4.5, height=2.7)
    for ax, (name, lines) in zip(axes, panels.items(), strict=True):
        for arm, line in lines.items():
            ax.plot(*line, palette.line(arm), color=palette.color(arm), label=arm)
        _labeled(ax, _UNITS.get(name, name))
    legend_below(made, *axes)
    return made


def _varies(lines: Any) -> bool:
    return len({value for _, values in lines for value in values}) > 1


def _groups(ax: Any, lines: Mapping[str, Line]) -> None:
    """Rates from the first group (dark) to the last; only the ends of many are named."""
    colors = shades(len(lines))
    for place, (name, line) in enumerate(lines.items()):
        ax.plot(*line, color=colors[place], linewidth=1.2, label=name.removeprefix(_GROUP))
    values = np.array([value for _, of in lines.values() for value in of], float)
    if (values > 0).all() and values.max() / values.min() > _DECADES and math.isfinite(values.max()):
        log_scale(ax.yaxis)
    _labeled(ax, "rate of a group of layers")
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) > 6:
        handles, labels = [handles[0], handles[-1]], [f"{labels[0]} (first)", f"{labels[-1]} (last)"]
    ax.legend(handles, labels, frameon=False, fontsize=7, loc="best")


def _labeled(ax: Any, name: str) -> None:
    ax.set_xlabel("samples trained on", fontsize=9)
    ax.set_ylabel(name, fontsize=9)
