"""Draw the signal-to-noise ratio of features, layer by layer, as it changes over a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import GRAY, Palette, legend_below, panel_figure, shades
from batchsel.experiments.run.run_record import RunRecord

_NAMED = 16
"""Largest number of layers that are all labeled."""


def draw_snr(arms: Mapping[str, Sequence[RunRecord]], palette: Palette) -> Any:
    """Draw the decibels of each layer, one line for each stage of the run, mean over seeds; at 0 dB both are as large.

    Args:
        arms: Records of each arm.
        palette: Colors of the arms.

    Returns:
        The figure, or None if it was not measured.
    """
    known = {name: [record for record in records if record.snr and record.snr.stages] for name, records in arms.items()}
    known = {name: records for name, records in known.items() if records}
    if not known:
        return None
    fig, axes = panel_figure(len(known), width=4.5, height=3.1, sharey=True)
    for ax, (name, records) in zip(axes, known.items(), strict=True):
        _panel(ax, records)
        ax.set_title(f"{name} (n = {len(records)})", fontsize=9, loc="left", color=palette.color(name))
    legend_below(fig, *axes)
    return fig


def _panel(ax: Any, records: Sequence[RunRecord]) -> None:
    measured = [record.snr for record in records if record.snr]
    layers, n = measured[0].layers, records[0].sizes.train
    stages = min(len(snr.stages) for snr in measured)
    for place, color in enumerate(shades(stages)):
        each = [[np.nan if db is None else db for db in snr.stages[place].db] for snr in measured]
        label = _passes_label(measured[0].stages[place].samples / n)
        # A layer without a ratio in one run has no mean.
        ax.plot(range(len(layers)), np.mean(each, axis=0), marker="o", markersize=3, color=color, label=label)
    ax.axhline(0, color=GRAY, linewidth=1)
    every = -(-len(layers) // _NAMED)
    ax.set_xticks(
        range(0, len(layers), every), layers[::every], rotation=60, ha="right", rotation_mode="anchor", fontsize=7
    )
    ax.set_ylabel("signal to noise (dB)", fontsize=9)


def _passes_label(passes: float) -> str:
    return f"after {passes:.2g} pass{'' if passes == 1 else 'es'}"
