"""Draw the map of a data set: confidence over variability, and samples with suspicious labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import GRAY, INK, figure

_SHOWN = 20
_ROWS = 2


def draw_dataset_map(
    confidence: np.ndarray,
    variability: np.ndarray,
    correctness: np.ndarray,
    images: np.ndarray | None = None,
    captions: Sequence[str] = (),
) -> Any:
    """Draw one point for each sample, and images of the suspects.

    Args:
        confidence: ``[n]``.
        variability: ``[n]``.
        correctness: ``[n]`` in [0, 1], drawn as color.
        images: ``uint8[k, height, width, channels]`` of the first suspects, or None.
        captions: Title of each image.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    if images is None:
        fig, axes = figure(width=6.4, height=4.8)
        _scatter(fig, axes[0, 0], confidence, variability, correctness)
        return fig
    fig: Any = Figure(figsize=(11.5, 4.8), layout="constrained")
    left, right = fig.subfigures(1, 2, width_ratios=[1, 1.15])
    _scatter(left, left.subplots(), confidence, variability, correctness)
    columns = _SHOWN // (2 * _ROWS)
    axes = right.subplots(2 * _ROWS, columns).ravel()
    right.suptitle("least confidence in their label", fontsize=9, color=GRAY)
    for place, ax in enumerate(axes):
        ax.set_axis_off()
        if place < len(images):
            ax.imshow(np.squeeze(images[place]), cmap="gray_r")
            ax.set_title(captions[place], fontsize=7, color=INK, pad=2)
    return fig


def _scatter(fig: Any, axes: Any, confidence: np.ndarray, variability: np.ndarray, correctness: np.ndarray) -> None:
    points = axes.scatter(variability, confidence, c=correctness, s=6, alpha=0.5, cmap="viridis", vmin=0, vmax=1)
    axes.set_xlabel("variability: standard deviation of the probability of its class", fontsize=9)
    axes.set_ylabel("confidence: mean probability of its class", fontsize=9)
    axes.set_ylim(-0.02, 1.02)
    axes.spines[["top", "right"]].set_visible(False)
    bar = fig.colorbar(points, ax=axes, shrink=0.7)
    bar.set_label("share of times classified rightly", fontsize=8)
    bar.solids.set_alpha(1)
