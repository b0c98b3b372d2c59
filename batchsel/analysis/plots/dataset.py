"""Draw a data set: samples, class sizes, and distributions of its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from batchsel.analysis.plots.style import GRAY, INK, class_colors, clean

_BLUE = "#0072B2"
_PER_CLASS, _CLASSES, _FEATURES = 8, 10, 12
_NAMES = 30


def draw_dataset(x: np.ndarray, y: np.ndarray, class_names: Sequence[str], feature_names: Sequence[str] = ()) -> Any:
    """Draw samples and class sizes; for sequences a histogram of lengths, for tables ax of each feature.

    For language-model text, draw the lengths of the documents and the frequencies of the subwords.

    Args:
        x: Inputs of the training part: ``uint8[n, height, width, channels]`` images, ``int32[n, length]`` sequences
            padded with zeros, or a ``float32[n, d]`` table.
        y: ``int[n]`` classes, ``float[n]`` values, or ``int[n, length]`` subwords that follow.
        class_names: Names of the classes; empty for regression.
        feature_names: Names of a table's features, if known.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    fig: Any = Figure(figsize=(11.0, 4.4), layout="constrained")
    left, right = fig.subfigures(1, 2, width_ratios=[1.5, 1])
    if y.ndim == 2:
        _documents(left, right, x)
        return fig
    if x.ndim == 4:
        _images(left, x, y, class_names)
    elif x.dtype.kind in "iu" and x.ndim == 2:
        _lengths(left, x)
    else:
        _table(left, x.reshape(len(x), -1), y if class_names else None, class_names, feature_names)
    axes = right.subplots()
    clean(axes)
    is_table = x.ndim == 2 and x.dtype.kind == "f"
    _classes(axes, y, class_names, is_table) if class_names else _values(axes, y)
    return fig


def _images(fig: Any, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Draw the first images of each class, one row for each."""
    shown = np.linspace(0, len(names) - 1, min(_CLASSES, len(names))).round().astype(int)
    axes = fig.subplots(len(shown), _PER_CLASS, squeeze=False)
    for row, number in zip(axes, shown, strict=True):
        images = x[np.flatnonzero(y == number)[:_PER_CLASS]]
        for place, ax in enumerate(row):
            ax.set_axis_off()
            if place < len(images):
                ax.imshow(np.squeeze(images[place]), cmap="gray_r")
        row[0].text(
            -0.2, 0.5, names[number], ha="right", va="center", fontsize=7, color=INK, transform=row[0].transAxes
        )
    if len(shown) < len(names):
        fig.suptitle(f"{len(shown)} of {len(names)} classes", fontsize=8, color=GRAY)


def _lengths(fig: Any, x: np.ndarray) -> None:
    axes = fig.subplots()
    clean(axes)
    lengths = x.shape[1] - np.argmax(x[:, ::-1] != 0, axis=1)
    lengths[~x.any(axis=1)] = 0
    axes.hist(lengths, bins=np.arange(x.shape[1] + 2) - 0.5, color=_BLUE)
    axes.set_xlabel(f"words of a text (of at most {x.shape[1]}), mean {lengths.mean():.1f}", fontsize=9)
    axes.set_ylabel("training samples", fontsize=9)


def _documents(left: Any, right: Any, x: np.ndarray) -> None:
    """Draw the documents of a text, in which a 0 precedes each document."""
    numbers = x.ravel()
    lengths = np.diff(np.flatnonzero(numbers == 0)) - 1
    counts = np.sort(np.bincount(numbers))[::-1]
    axes, other = left.subplots(), right.subplots()
    for ax in (axes, other):
        clean(ax)
    if len(lengths):
        bins = np.geomspace(1, max(2, lengths.max()), 40)
        axes.hist(lengths, bins=bins, color=_BLUE)
        axes.set_xscale("log")
    axes.set_xlabel(f"subwords of a document, median {np.median(lengths) if len(lengths) else 0:.0f}", fontsize=9)
    axes.set_ylabel("documents of the training part", fontsize=9)
    other.loglog(np.arange(1, 1 + np.count_nonzero(counts)), counts[counts > 0], color=_BLUE)
    other.set_xlabel(f"subwords, the most frequent first ({len(counts):,})", fontsize=9)
    other.set_ylabel(f"times, of {len(numbers):,}", fontsize=9)


def _table(fig: Any, x: np.ndarray, y: np.ndarray | None, class_names: Sequence[str], names: Sequence[str]) -> None:
    """Draw points in a plane, or a histogram of each feature; in the colors of their classes, if these are few."""
    palette = class_colors(len(class_names))
    colored = y is not None and len(set(palette)) > 1
    classes = y if y is not None and colored else np.zeros(len(x), int)
    colors = palette if colored else [_BLUE]
    if x.shape[1] != 2:
        _features(fig, [x[classes == number] for number in range(len(colors))], colors, names)
        return
    axes = fig.subplots()
    clean(axes)
    for number, color in enumerate(colors):
        label = class_names[number] if colored else None
        axes.scatter(
            *x[classes == number].T, s=max(2, min(30, 12_000 / len(x))), color=color, label=label, linewidths=0
        )
    axes.set_xlabel(names[0] if names else "feature 0", fontsize=9)
    axes.set_ylabel(names[1] if names else "feature 1", fontsize=9)
    axes.set_title("standardized values of the training part", fontsize=8, color=GRAY)
    axes.set_aspect("equal", adjustable="datalim")


def _features(fig: Any, groups: Sequence[np.ndarray], colors: Sequence[str], names: Sequence[str]) -> None:
    x = groups[0]
    shown = min(x.shape[1], _FEATURES)
    columns = min(4, shown)
    axes = fig.subplots(-(-shown // columns), columns, squeeze=False).ravel()
    for place, ax in enumerate(axes):
        if place >= shown:
            ax.set_axis_off()
            continue
        clean(ax)
        ax.hist([group[:, place] for group in groups], bins=24, color=list(colors), stacked=True)
        ax.set_title(names[place] if place < len(names) else f"feature {place}", fontsize=8, color=INK)
        ax.tick_params(labelsize=6)
        ax.set_yticks([])
    more = f"; {shown} of {x.shape[1]} features" if shown < x.shape[1] else ""
    fig.suptitle(f"standardized values of the training part{more}", fontsize=8, color=GRAY)


def _classes(axes: Any, y: np.ndarray, names: Sequence[str], colored: bool) -> None:
    counts = np.bincount(y, minlength=len(names))
    colors = class_colors(len(names)) if colored else _BLUE
    axes.barh(range(len(names)), counts, color=colors, height=0.7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)) if len(names) <= _NAMES else [], names if len(names) <= _NAMES else [])
    axes.set_xlabel("training samples of each class", fontsize=9)
    if len(names) > _NAMES:
        axes.set_ylabel(f"{len(names)} classes", fontsize=9)


def _values(axes: Any, y: np.ndarray) -> None:
    axes.hist(y, bins=30, color=_BLUE)
    axes.set_xlabel("target", fontsize=9)
    axes.set_ylabel("training samples", fontsize=9)
