"""Draw the gradient noise scale over a run, for each batch size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import Palette, figure, legend_below, log_scale, shades
from batchsel.analysis.studies.noise_scale import bounded_scale
from batchsel.experiments.run.run_record import RunRecord

Arms = Mapping[str, Sequence[RunRecord]]


def draw_noise_scale(arms: Arms, palette: Palette) -> Any:
    """Draw the noise scale over passes, median over seeds; a gap where noise hid the gradient in half of them.

    Args:
        arms: Records of each arm.
        palette: Colors, for arms that do not differ in their batch size.

    Returns:
        The figure, or None if fewer than two measurements of a run have a scale.
    """
    curves = {name: _curve(records) for name, records in arms.items()}
    curves = {name: curve for name, curve in curves.items() if np.isfinite(curve[1]).sum() > 1}
    if not curves:
        return None
    modes: dict[str, list[str]] = {}
    for name in curves:
        modes.setdefault(_mode(arms[name][0]), []).append(name)
    fig, axes = figure(columns=len(modes), width=9.0 if len(modes) > 1 else 6.0, height=3.6, sharey=True)
    sizes = sorted({arms[name][0].spec.batch_size for name in curves})
    colors = dict(zip(sizes, shades(len(sizes)), strict=True))
    named: set[str] = set()
    for ax, (mode, names) in zip(axes[0], modes.items(), strict=True):
        for name in sorted(names, key=lambda name: arms[name][0].spec.batch_size):
            size = arms[name][0].spec.batch_size
            color, words = (colors[size], f"batch size {size:,}") if len(sizes) > 1 else (palette.color(name), name)
            # A label with a leading underscore is not in the legend: each size is labeled once for all panels.
            ax.plot(
                *curves[name], marker="o", markersize=3, color=color, label=f"_{words}" if words in named else words
            )
            named.add(words)
        ax.set_xlabel("passes", fontsize=9)
        ax.set_title(mode, fontsize=9, loc="left")
    log_scale(axes[0, 0].yaxis)
    axes[0, 0].set_ylabel("noise scale tr Σ / |G|² (samples)", fontsize=9)
    legend_below(fig, *axes[0])
    return fig


def _curve(records: Sequence[RunRecord]) -> tuple[np.ndarray, np.ndarray]:
    """Return passes and median scales, ``float64[measurements]``; NaN where the median is unbounded."""
    runs = [record.noise_scale for record in records if record.noise_scale]
    if not runs:
        return np.zeros(0), np.zeros(0)
    count = min(map(len, runs))
    passes = np.array([np.median([run[i].passes for run in runs]) for i in range(count)])
    scales = np.array([np.median([bounded_scale(run[i]) for run in runs]) for i in range(count)])
    return passes, np.where(np.isfinite(scales), scales, np.nan)


def _mode(record: RunRecord) -> str:
    """Return the title of a panel: the mode, and the levels of the part."""
    analysis = record.analysis
    factors = (*analysis.get("within", ()), analysis.get("mode", "mode"))
    return ", ".join(level for level in (record.arm.level(factor) for factor in factors) if level)
