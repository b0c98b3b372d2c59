"""The gradient noise scale over a run, for each batch size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import Palette, figure, legend_below, log_scale, shades
from batchsel.analysis.studies.noise_scale import scale_of
from batchsel.analysis.studies.study_parts import analysis_of, level_of

Arms = Mapping[str, Sequence[Mapping[str, Any]]]


def draw_noise_scale(arms: Arms, palette: Palette) -> Any:
    """The noise scale over passes, median over seeds; a gap where noise hid the gradient in half of them.

    Args:
        arms: Records of each arm.
        palette: Colors, where arms do not differ in their batch size.

    Returns:
        The figure, or None if less than two moments of a run have a scale.
    """
    curves = {name: _curve(records) for name, records in arms.items()}
    curves = {name: curve for name, curve in curves.items() if np.isfinite(curve[1]).sum() > 1}
    if not curves:
        return None
    modes: dict[str, list[str]] = {}
    for name in curves:
        modes.setdefault(_mode(arms[name][0]), []).append(name)
    made, axes = figure(columns=len(modes), width=9.0 if len(modes) > 1 else 6.0, height=3.6, sharey=True)
    sizes = sorted({arms[name][0]["spec"]["batch_size"] for name in curves})
    colors = dict(zip(sizes, shades(len(sizes)), strict=True))
    named: set[str] = set()
    for ax, (mode, names) in zip(axes[0], modes.items(), strict=True):
        for name in sorted(names, key=lambda name: arms[name][0]["spec"]["batch_size"]):
            size = arms[name][0]["spec"]["batch_size"]
            color, words = (colors[size], f"batch size {size:,}") if len(sizes) > 1 else (palette.color(name), name)
            # A label that begins with an underscore is not in the legend: sizes are named once for all panels.
            ax.plot(
                *curves[name], marker="o", markersize=3, color=color, label=f"_{words}" if words in named else words
            )
            named.add(words)
        ax.set_xlabel("passes", fontsize=9)
        ax.set_title(mode, fontsize=9, loc="left")
    log_scale(axes[0, 0].yaxis)
    axes[0, 0].set_ylabel("noise scale tr Σ / |G|² (samples)", fontsize=9)
    legend_below(made, *axes[0])
    return made


def _curve(records: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Passes and median scales, ``float64[moments]``; NaN where the median is not bounded."""
    runs = [record["noise_scale"] for record in records if record.get("noise_scale")]
    if not runs:
        return np.zeros(0), np.zeros(0)
    moments = min(map(len, runs))
    passes = np.array([np.median([run[i]["passes"] for run in runs]) for i in range(moments)])
    scales = np.array([np.median([scale_of(run[i]) for run in runs]) for i in range(moments)])
    return passes, np.where(np.isfinite(scales), scales, np.nan)


def _mode(record: Mapping[str, Any]) -> str:
    """What a panel is of: the mode, and the levels that are answered by themselves."""
    analysis = analysis_of(record)
    factors = (*analysis.get("within", ()), analysis.get("mode", "mode"))
    return ", ".join(level for level in (level_of(record, factor) for factor in factors) if level)
