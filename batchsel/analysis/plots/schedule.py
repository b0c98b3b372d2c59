"""Draw a schedule: the learning rate over the budget, and the momentum below it if it changes."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from batchsel.analysis.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LETTERS = 75
"""Letters in a line of the title."""


def schedule_figure(
    progress: Sequence[float],
    rates: Sequence[float],
    momenta: Sequence[float] | None = None,
    *,
    label: str = "factor of the learning rate",
    title: str = "",
) -> Figure:
    """Draw the curve of a schedule.

    Args:
        progress: Shares of the budget, in [0, 1].
        rates: Learning rates, or factors of one, at each.
        momenta: Momentum at each, or None if it does not change.
        label: Axis label of `rates`.
        title: Title of the figure.

    Returns:
        The figure.

    Example:
        >>> figure = schedule_figure([0.0, 1.0], [1.0, 0.0], title="linear")
        >>> figure.axes[0].get_ylabel(), figure.axes[0].get_title(loc="left")
        ('factor of the learning rate', 'linear')
    """
    panels = [(label, rates)] if momenta is None else [(label, rates), ("momentum", momenta)]
    fig, axes = style.figure(rows=len(panels), width=6.4, height=3.0 * len(panels), sharex=True)
    palette = style.Palette([name for name, _ in panels])
    for ax, (name, values) in zip(axes[:, 0], panels, strict=True):
        ax.plot(progress, values, color=palette.color(name), linewidth=1.8)
        ax.set_ylabel(name, fontsize=9, color=style.INK)
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].set_title(fill(title, _LETTERS), loc="left", fontsize=10, color=style.INK)
    axes[-1, 0].set_xlim(0, 1)
    axes[-1, 0].set_xlabel("share of the budget of samples", fontsize=9, color=style.INK)
    return fig
