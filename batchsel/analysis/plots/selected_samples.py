"""What was chosen: pictures of samples for images, a map for points in a plane."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import INK, Palette, figure

_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")


def array(packed: Mapping[str, Any]) -> np.ndarray:
    """An array out of a record.

    Args:
        packed: Its type, shape and bytes in base64.

    Example:
        >>> array({"dtype": "uint8", "shape": [2], "base64": "AQI="}).tolist()
        [1, 2]
    """
    data = base64.b64decode(packed["base64"], validate=True)
    return np.frombuffer(data, np.dtype(packed["dtype"])).reshape(packed["shape"])


def _detailed(arms: Mapping[str, Sequence[Mapping[str, Any]]], key: str) -> dict[str, Any]:
    """The first record of each arm that holds such details."""
    found = {name: next((record for record in records if key in record), None) for name, records in arms.items()}
    return {name: record for name, record in found.items() if record is not None}


def draw_images(arms: Mapping[str, Sequence[Mapping[str, Any]]], palette: Palette) -> Any:
    """The samples that were trained on most and least often, of the first seed of each arm.

    Args:
        arms: Records of each arm.
        palette: Colors.

    Returns:
        The figure, or None if no record holds pictures.
    """
    detailed = _detailed(arms, "images")
    if not detailed:
        return None
    made, axes = figure(columns=2, rows=len(detailed), width=9.0, height=1.25 * len(detailed) + 0.3)
    for row, (name, record) in zip(axes, detailed.items(), strict=True):
        for one, which in zip(row, ("most", "least"), strict=True):
            part = record["images"][which]
            _strip(one, array(part["pixels"]), part)
            one.set_title(f"{name}: {which} often", fontsize=8, loc="left", color=palette.color(name))
    return made


def _strip(axes: Any, pixels: np.ndarray, part: Mapping[str, Any]) -> None:
    height, width = pixels.shape[1:3]
    gap = np.ones((len(pixels), height, width + 2, *pixels.shape[3:]), pixels.dtype) * 255
    gap[:, :, :width] = pixels
    strip = np.concatenate(list(gap), axis=1)
    axes.imshow(strip.squeeze(), cmap="gray_r" if strip.squeeze().ndim == 2 else None, interpolation="nearest")
    centers = (np.arange(len(pixels)) + 0.45) * (width + 2)
    labels = [f"{label}\n×{visits}" for label, visits in zip(part["labels"], part["visits"], strict=True)]
    axes.set_xticks(centers, labels, fontsize=6)
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def draw_plane(arms: Mapping[str, Sequence[Mapping[str, Any]]], palette: Palette) -> Any:
    """For data with two features: how often each point was chosen in each part of the run, and the boundary.

    Args:
        arms: Records of each arm.
        palette: Colors.

    Returns:
        The figure, or None if no record holds points.
    """
    detailed = _detailed(arms, "plane")
    if not detailed:
        return None
    columns = max(len(record["plane"]["stages"]) for record in detailed.values())
    made, axes = figure(columns=columns, rows=len(detailed), width=9.0, height=2.3 * len(detailed) + 0.2)
    for row, (name, record) in zip(axes, detailed.items(), strict=True):
        plane = record["plane"]
        points, labels = array(plane["points"]), array(plane["labels"])
        for place, stage in enumerate(plane["stages"]):
            _stage(row[place], plane, points, labels, stage)
            row[place].set_title(f"up to {stage['samples']:,} samples", fontsize=8, loc="left")
        row[0].set_ylabel(name, fontsize=8, color=palette.color(name))
    return made


def _stage(
    axes: Any, plane: Mapping[str, Any], points: np.ndarray, labels: np.ndarray, stage: Mapping[str, Any]
) -> None:
    from matplotlib.colors import ListedColormap

    classes = array(stage["classes"])
    colors = [_COLORS[i % len(_COLORS)] for i in range(int(max(labels.max(), classes.max())) + 1)]
    axes.imshow(
        classes, origin="lower", extent=plane["extent"], cmap=ListedColormap(colors), alpha=0.25, aspect="equal",
        vmin=0, vmax=max(len(colors) - 1, 1), interpolation="nearest",
    )  # fmt: skip
    visits = array(stage["visits"]).astype(float)
    # Squared, so that what was chosen twice as often as the mean is seen at a glance.
    sizes = np.clip(5 * (visits / max(visits.mean(), 1e-9)) ** 2, 0.3, 60)
    axes.scatter(*points.T, s=sizes, c=[colors[int(label)] for label in labels], linewidths=0, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(INK)
    axes.spines[:].set_linewidth(0.5)
