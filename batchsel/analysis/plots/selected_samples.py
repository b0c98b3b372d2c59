"""Draw the selected samples: images, or a map for points in a plane."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import INK, Palette, figure
from batchsel.experiments.run.record_parts import ImageSamples, Plane, PlaneStage
from batchsel.experiments.run.run_record import RunRecord

_SIZE, _LETTERS = 5.5, 96
"""Font size of labels, and how many letters of that size fit below a strip of images."""
_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")


def draw_images(arms: Mapping[str, Sequence[RunRecord]], palette: Palette) -> Any:
    """Draw the samples that were trained on most and least often, for the first seed of each arm.

    Args:
        arms: Records of each arm.
        palette: Colors.

    Returns:
        The figure, or None if no record holds images.
    """
    found = {name: next((run.images for run in records if run.images), None) for name, records in arms.items()}
    images = {name: of_arm for name, of_arm in found.items() if of_arm is not None}
    if not images:
        return None
    fig, axes = figure(columns=2, rows=len(images), width=9.0, height=1.25 * len(images) + 0.3)
    for row, (name, selected) in zip(axes, images.items(), strict=True):
        for ax, often, samples in zip(row, ("most", "least"), (selected.most, selected.least), strict=True):
            _strip(ax, samples)
            ax.set_title(f"{name}: {often} often", fontsize=8, loc="left", color=palette.color(name))
    return fig


def _strip(ax: Any, samples: ImageSamples) -> None:
    pixels = samples.pixels.unpack()
    height, width = pixels.shape[1:3]
    gap = np.ones((len(pixels), height, width + 2, *pixels.shape[3:]), pixels.dtype) * 255
    gap[:, :, :width] = pixels
    strip = np.concatenate(list(gap), axis=1)
    ax.imshow(strip.squeeze(), cmap="gray_r" if strip.squeeze().ndim == 2 else None, interpolation="nearest")
    centers = (np.arange(len(pixels)) + 0.45) * (width + 2)
    most = int(_LETTERS / len(pixels))
    labels = [f"{_break(label, most)}\n×{visits}" for label, visits in zip(samples.labels, samples.visits, strict=True)]
    ax.set_xticks(centers, labels, fontsize=_SIZE)
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _break(label: str, most: int) -> str:
    """Return a label in lines of so many letters, so that it stays below its image."""
    lines = [""]
    for part in re.split(r"(?<=[/ _-])", label):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > most:
            lines.append("")
        lines[-1] += part
    stripped = [line.strip() for line in lines]
    return "\n".join(line if len(line) <= most else f"{line[: max(most - 1, 1)]}…" for line in stripped)


def draw_plane(arms: Mapping[str, Sequence[RunRecord]], palette: Palette) -> Any:
    """Draw, for data with two features, the visits of each point in each stage of a run, and the decision boundary.

    Args:
        arms: Records of each arm.
        palette: Colors.

    Returns:
        The figure, or None if no record holds points.
    """
    found = {name: next((run.plane for run in records if run.plane), None) for name, records in arms.items()}
    planes = {name: plane for name, plane in found.items() if plane is not None}
    if not planes:
        return None
    columns = max(len(plane.stages) for plane in planes.values())
    fig, axes = figure(columns=columns, rows=len(planes), width=9.0, height=2.3 * len(planes) + 0.2)
    for row, (name, plane) in zip(axes, planes.items(), strict=True):
        for ax, stage in zip(row, plane.stages, strict=False):
            _stage(ax, plane, stage)
            ax.set_title(f"up to {stage.samples:,} samples", fontsize=8, loc="left")
        row[0].set_ylabel(name, fontsize=8, color=palette.color(name))
    return fig


def _stage(ax: Any, plane: Plane, stage: PlaneStage) -> None:
    from matplotlib.colors import ListedColormap

    points, labels, classes = plane.points.unpack(), plane.labels.unpack(), stage.classes.unpack()
    colors = [_COLORS[i % len(_COLORS)] for i in range(int(max(labels.max(), classes.max())) + 1)]
    ax.imshow(
        classes, origin="lower", extent=plane.extent, cmap=ListedColormap(colors), alpha=0.25, aspect="equal",
        vmin=0, vmax=max(len(colors) - 1, 1), interpolation="nearest",
    )  # fmt: skip
    visits = stage.visits.unpack().astype(float)
    # Squared, so that a point that was chosen twice as often as the mean stands out.
    sizes = np.clip(5 * (visits / max(visits.mean(), 1e-9)) ** 2, 0.3, 60)
    ax.scatter(*points.T, s=sizes, c=[colors[int(label)] for label in labels], linewidths=0, rasterized=True)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(INK)
    ax.spines[:].set_linewidth(0.5)
