"""The signal-to-noise ratio of features, layer by layer, as it changes over a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import GRAY, Palette, legend_below, many, shades

_NAMED = 16
"""More layers than these are not all named."""


def draw_snr(arms: Mapping[str, Sequence[Mapping[str, Any]]], palette: Palette) -> Any:
    """Decibels of each layer, a line a moment of the run, mean over seeds; at 0 dB both are as large.

    Args:
        arms: Records of each arm.
        palette: Colors of the arms' names.

    Returns:
        The figure, or None if it was not measured.
    """
    known = {name: [record for record in records if _stages(record)] for name, records in arms.items()}
    known = {name: records for name, records in known.items() if records}
    if not known:
        return None
    made, axes = many(len(known), width=4.5, height=3.1, sharey=True)
    for ax, (name, records) in zip(axes, known.items(), strict=True):
        _panel(ax, records)
        ax.set_title(f"{name} (n = {len(records)})", fontsize=9, loc="left", color=palette.color(name))
    legend_below(made, *axes)
    return made


def _stages(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (record.get("snr") or {}).get("stages") or []


def _panel(ax: Any, records: Sequence[Mapping[str, Any]]) -> None:
    layers = records[0]["snr"]["layers"]
    stages = min(len(_stages(record)) for record in records)
    colors = shades(stages)
    for place in range(stages):
        each = [[np.nan if db is None else db for db in _stages(record)[place]["db"]] for record in records]
        # A layer that one run has no ratio of has no mean.
        ax.plot(
            range(len(layers)),
            np.mean(each, axis=0),
            marker="o",
            markersize=3,
            color=colors[place],
            label=_when(records[0], place),
        )
    ax.axhline(0, color=GRAY, linewidth=1)
    every = -(-len(layers) // _NAMED)
    ax.set_xticks(
        range(0, len(layers), every), layers[::every], rotation=60, ha="right", rotation_mode="anchor", fontsize=7
    )
    ax.set_ylabel("signal to noise (dB)", fontsize=9)


def _when(record: Mapping[str, Any], place: int) -> str:
    passes = _stages(record)[place]["samples"] / record["sizes"]["train"]
    return f"after {passes:.2g} pass{'' if passes == 1 else 'es'}"
