"""Draw the time breakdown of runs, the share of the data kept, and the visits of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.outcomes import all_timed
from batchsel.analysis.plots.style import GRAY, Palette, figure, legend
from batchsel.experiments.run.run_record import RunRecord

_PARTS = {
    "training": ("steps", "#0072B2"),
    "planning": ("planning (timed apart)", "#D55E00"),
    "scoring": ("scoring pools (timed apart)", "#CC79A7"),
    "choosing": ("choosing from pools (timed apart)", "#009E73"),
    "updating": ("updating state (timed apart)", "#E69F00"),
    "tracing": ("tracing, off the clock", "#999999"),
    "evaluation": ("evaluation, off the clock", "#BBBBBB"),
    "callbacks": ("callbacks and checkpoints, off the clock", "#DDDDDD"),
}
_ON_CLOCK = 5


def time_breakdown(record: RunRecord) -> dict[str, float]:
    """Return the seconds of a run by activity."""
    seconds, selection = record.seconds, record.selection
    selecting = {
        "planning": selection.planning,
        "scoring": selection.scoring,
        "choosing": selection.choosing,
        "updating": selection.updating,
    }
    return {
        "training": max(seconds.training - sum(selecting.values()), 0.0),
        **selecting,
        "tracing": seconds.tracing,
        "evaluation": seconds.evaluation,
        "callbacks": seconds.callbacks + seconds.checkpoint,
    }


def draw_time_breakdown(arms: Mapping[str, Sequence[RunRecord]]) -> Any:
    """Draw the mean seconds of a run, on the clock and off it.

    Args:
        arms: Records of each arm.

    Returns:
        The figure, or None if runs shared the device.
    """
    if not all_timed(arms):
        return None
    fig, axes = figure(columns=2, width=9.0, height=1.6 + 0.36 * len(arms), sharey=True)
    tables = {name: [time_breakdown(record) for record in records] for name, records in arms.items()}
    for one, parts in ((axes[0, 0], list(_PARTS)[:_ON_CLOCK]), (axes[0, 1], list(_PARTS)[_ON_CLOCK:])):
        for row, table in enumerate(tables.values()):
            left = 0.0
            for part in parts:
                # A function that is traced once is in the first run's record only: medians would hide it.
                value = float(np.mean([entry[part] for entry in table]))
                label = _PARTS[part][0] if row == 0 else None
                one.barh(row, value, left=left, color=_PARTS[part][1], label=label, height=0.6)
                left += value
        one.set_xlabel("mean seconds a run", fontsize=9)
        one.set_ylim(len(arms) - 0.4, -0.6)
    handles = [handle for one in axes.flat for handle in one.get_legend_handles_labels()[0]]
    labels = [label for one in axes.flat for label in one.get_legend_handles_labels()[1]]
    fig.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    axes[0, 0].set_title("on the clock", fontsize=9, loc="left")
    axes[0, 1].set_title("off the clock", fontsize=9, loc="left")
    axes[0, 0].set_yticks(range(len(arms)), list(arms))
    return fig


def draw_visits(arms: Mapping[str, Sequence[RunRecord]], palette: Palette) -> Any:
    """Draw how often samples were trained on in a run; under shuffling all are visited equally often.

    Args:
        arms: Records of each arm.
        palette: Colors.
    """
    fig, axes = figure(width=7.0, height=3.0)
    one = axes[0, 0]
    for name, records in arms.items():
        length = max(len(record.visits) for record in records)
        table = np.zeros([len(records), length])
        for row, record in enumerate(records):
            table[row, : len(record.visits)] = record.visits
        shares = table.mean(axis=0) / table.sum(axis=1).mean()
        one.step(range(length), shares, palette.line(name), color=palette.color(name), where="mid", label=name)
    one.set_yscale("symlog", linthresh=1e-3)
    one.set_ylim(bottom=0)
    one.set_xlabel("times a sample was trained on", fontsize=9)
    one.set_ylabel("share of the samples", fontsize=9)
    legend(one)
    return fig


def draw_kept(arms: Mapping[str, Sequence[RunRecord]], palette: Palette) -> Any:
    """Draw the share of the data that plans made use of; 1 for a selector that does not prune.

    Args:
        arms: Records of each arm.
        palette: Colors.
    """
    fig, axes = figure(width=5.4, height=0.9 + 0.34 * len(arms))
    for row, (name, records) in enumerate(arms.items()):
        value = float(np.mean([record.kept for record in records]))
        axes[0, 0].barh(row, value, color=palette.color(name), height=0.6)
        axes[0, 0].annotate(
            f"{value:.2f}", (value, row), xytext=(4, -3), textcoords="offset points", fontsize=8, color=GRAY
        )
    axes[0, 0].set_yticks(range(len(arms)), list(arms))
    axes[0, 0].set_ylim(len(arms) - 0.4, -0.6)
    axes[0, 0].set_xlim(0, 1.12)
    axes[0, 0].set_xlabel("share of the data kept a pass", fontsize=9)
    return fig
