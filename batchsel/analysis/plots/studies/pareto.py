"""Draw the final metric against time for all batch sizes and modes, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis.plots.studies.batch_sizes import close_up
from batchsel.analysis.plots.style import GRAY, INK, Palette, figure, legend_below, log_scale
from batchsel.analysis.studies.batch_sizes import PLAIN, BatchSizes, batch_sizes
from batchsel.analysis.studies.study_parts import split_into_parts
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

_ROOM, _STEPS = 0.1, 4
"""Share of the axis that a label needs, and how many labels are stacked."""


def draw_pareto(
    arms: Mapping[str, Sequence[RunRecord]], palette: Palette, failures: Sequence[FailureRecord] = ()
) -> Any:
    """Draw a dot for each batch size and mode, filled on the front, with the batch size next to it.

    Args:
        arms: Records of each arm.
        palette: Not used: colors are those of modes.
        failures: Records of runs that failed.

    Returns:
        The figure, or None if runs shared the device.
    """
    records = [record for runs in arms.values() for record in runs]
    sweeps = [(part, batch_sizes(part)) for part in split_into_parts(records, "batch_sizes", failures)]
    known = [(part, sweep) for part, sweep in sweeps if not isinstance(sweep, str) and sweep.front]
    if not known:
        return None
    close = any(close_up(sweep) for _, sweep in known)
    fig, axes = figure(1 + close, len(known), 9.0 if close else 6.0, 3.7 * len(known))
    for row, (part, sweep) in zip(axes, known, strict=True):
        for ax in row:
            _panel(ax, sweep)
        if len(known) > 1:
            row[0].set_title(part.place, fontsize=9, loc="left")
        if close and close_up(sweep):
            row[1].set_ylim(close_up(sweep))
            row[1].set_title("near the threshold of small batches", fontsize=9, loc="left")
        elif close:
            row[1].set_axis_off()
        _label(row[-1] if close and close_up(sweep) else row[0], sweep)
    legend_below(fig, axes[0, 0])
    return fig


def _panel(ax: Any, sweep: BatchSizes) -> None:
    palette = Palette(sweep.modes)
    x, y = [seconds for seconds, _ in sweep.front_points], [result.final.value for _, result in sweep.front_points]
    ax.plot(
        x, y, color=GRAY, linewidth=0.9, drawstyle="steps-post", label="front, by means: none is both faster and better"
    )
    for mode in sweep.modes:
        ax.plot([], [], "o", color=palette.color(mode), markersize=5, label="a batch size" if mode == PLAIN else mode)
        for result in sweep.sizes.values():
            if result.mode != mode or result.seconds is None:
                continue
            color, on_front = palette.color(mode), (result.mode, result.batch) in sweep.front
            if result.final.low is not None:
                ends = [result.final.low, result.final.high]
                ax.plot([result.seconds.value] * 2, ends, color=color, linewidth=1, alpha=0.35)
            face = color if on_front else "white"
            ax.plot(result.seconds.value, result.final.value, "o", color=color, mfc=face, markersize=5)
    ax.margins(x=0.08)
    log_scale(ax.xaxis)
    ax.set_xlabel("seconds to the end of the budget", fontsize=9)
    ax.set_ylabel(sweep.unit.axis, fontsize=9)


def _label(ax: Any, sweep: BatchSizes) -> None:
    """Label batch sizes along the front; labels that would overlap are stacked."""
    seconds = [result.seconds.value for result in sweep.sizes.values() if result.seconds is not None]
    room = _ROOM * math.log(max(seconds) / min(seconds)) if len(seconds) > 1 else 0.0
    low, high = ax.get_ylim()
    last, step = -math.inf, 0
    for x, result in sweep.front_points:
        if not low <= result.final.value <= high:
            continue
        place = math.log(x)
        step = (step + 1) % _STEPS if place - last < room else 0
        last = place
        ax.annotate(
            f"{result.batch:,}", (x, result.final.value), xytext=(0, 5 + 9 * step), ha="center",
            textcoords="offset points", fontsize=7.5, color=INK,
            arrowprops={"arrowstyle": "-", "color": GRAY, "linewidth": 0.5} if step else None,
        )  # fmt: skip
