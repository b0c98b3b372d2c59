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


def layer_schedule_figure(progress: Sequence[float], rates: Sequence[Sequence[float]], title: str = "") -> Figure:
    """Draw the rates of groups of layers, as a band from that of the inputs to that of the outputs.

    Args:
        progress: Shares of the budget, in [0, 1].
        rates: Learning rates of each group at each, from the inputs to the outputs.
        title: Title of the figure.

    Example:
        >>> figure = layer_schedule_figure([0.0, 1.0], [[0.1, 0.1], [0.001, 0.1]])
        >>> figure.axes[0].get_yscale(), [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ('log', ['group 0 (inputs)', 'group 1 (outputs)'])
    """
    fig, axes = style.figure(width=6.4, height=3.4)
    ax, last = axes[0, 0], len(rates) - 1
    ends = {0: " (inputs)", last: " (outputs)"}
    ax.fill_between(progress, rates[last], rates[0], color=style.LIGHT, alpha=0.5, linewidth=0)
    for group, (values, color) in enumerate(zip(rates, style.shades(len(rates)), strict=True)):
        ax.plot(progress, values, color=color, linewidth=1.4, label=f"group {group}{ends.get(group, '')}")
    ax.set_yscale("log")
    ax.set_xlim(0, 1)
    ax.set_ylabel("learning rate of a group of layers", fontsize=9, color=style.INK)
    ax.set_xlabel("share of the budget of samples", fontsize=9, color=style.INK)
    ax.set_title(fill(title, _LETTERS), loc="left", fontsize=10, color=style.INK)
    style.legend(ax, loc="best")
    return fig
