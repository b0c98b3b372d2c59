"""Draw a spiral: points in the colors of their arms, or colored by difficulty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The palette of Okabe and Ito, which people with color blindness can tell apart; strongest contrasts first.
_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#F0E442")
_MARKERS = "o^sDvPX*<>ph"  # a shape for each arm too, so that the figure works in black and white
_INK = "#333333"


def spirals_figure(x: np.ndarray, y: np.ndarray, difficulty: np.ndarray | None = None, *, title: str = "") -> Figure:
    """Create a figure with the points of a spiral.

    Args:
        x: Points, ``[n, 2]``.
        y: Their arms, ``int[n]``.
        difficulty: Distance to the nearest other arm, ``[n]``; colors the points if given.
        title: Title of the figure.

    Returns:
        The figure.

    Example:
        >>> figure = spirals_figure(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]), title="two points")
        >>> figure.axes[0].get_title(loc="left")
        'two points'
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6.4) if difficulty is None else (7.4, 6.4), layout="constrained")
    plot_spirals(figure.add_subplot(), x, y, difficulty)
    figure.axes[0].set_title(title, loc="left", fontsize=11, color=_INK)
    return figure


def plot_spirals(axes: Axes, x: np.ndarray, y: np.ndarray, difficulty: np.ndarray | None = None) -> None:
    """Draw the points of a spiral.

    Args:
        axes: Axes to draw on.
        x: Points, ``[n, 2]``.
        y: Their arms, ``int[n]``.
        difficulty: Distance to the nearest other arm, ``[n]``; colors the points if given.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().add_subplot()
        >>> plot_spirals(axes, np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]))
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['arm 0 (1)', 'arm 1 (1)']
    """
    # The area shrinks with the number of points, so that few are visible and many do not overlap.
    size = float(np.clip(24_000 / len(x), 3, 60))
    if difficulty is None:
        _plot_arms(axes, x, y, size)
    else:
        _plot_difficulty(axes, x, y, difficulty, size)
    _add_legend(axes)
    _tidy(axes, np.abs(x).max())


def _plot_arms(axes: Axes, x: np.ndarray, y: np.ndarray, size: float) -> None:
    for arm in np.unique(y):
        of_arm = x[y == arm]
        axes.scatter(
            *of_arm.T,
            s=size,
            color=_COLORS[arm % len(_COLORS)],
            marker=_MARKERS[arm % len(_MARKERS)],
            linewidths=0,
            alpha=0.85,
            label=f"arm {arm} ({len(of_arm):,})",
        )


def _plot_difficulty(axes: Any, x: np.ndarray, y: np.ndarray, difficulty: np.ndarray, size: float) -> None:
    points = None
    low, high = np.quantile(difficulty, [0.01, 0.99])  # a few outliers would take the contrast from the rest
    for arm in np.unique(y):
        chosen = y == arm
        points = axes.scatter(
            *x[chosen].T,
            c=difficulty[chosen],
            s=size * 1.3,
            marker=_MARKERS[arm % len(_MARKERS)],
            label=f"arm {arm} ({np.count_nonzero(chosen):,})",
            cmap="viridis",
            linewidths=0,
            vmin=low,
            vmax=high,
        )
    bar = axes.figure.colorbar(points, ax=axes, shrink=0.75, pad=0.02, extend="both")
    bar.set_label("distance to the nearest other arm (small is hard)", color=_INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=_INK, length=0)


def _add_legend(axes: Any) -> None:
    legend = axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.04), ncols=4, frameon=False, labelcolor=_INK, handletextpad=0.2
    )
    for handle in legend.legend_handles:
        handle.set_sizes([40])


def _tidy(axes: Axes, reach: float) -> None:
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)
    axes.set_xlim(-1.06 * reach, 1.06 * reach)
    axes.set_ylim(-1.06 * reach, 1.06 * reach)
    axes.grid(color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, length=0, labelsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)
