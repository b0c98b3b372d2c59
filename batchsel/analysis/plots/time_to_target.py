"""Draw the time to the target: Kaplan-Meier curves, all seeds in a strip, and ratios with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.comparison import Comparison
from batchsel.analysis.outcomes import Outcome, seconds_count
from batchsel.analysis.plots.style import GRAY, Palette, bar, figure, legend, legend_below
from batchsel.analysis.stats import survival
from batchsel.analysis.stats.aggregate import Profile
from batchsel.analysis.verdict import format_ratio

_MANY = 500
"""Dots of an arm above which they are drawn as an image: as vectors they would make the page large and slow."""
_TICKS = (1.4, 2, 3, 5, 10, 20, 50, 100)
_APART = 0.1
"""Least distance of two ticks, as a share of the axis: closer ones would overlap."""


def draw_survival(arms: Mapping[str, Sequence[Outcome]], palette: Palette) -> Any:
    """Draw the share of runs that have reached the target, over seconds and over samples.

    Args:
        arms: Outcomes of each arm.
        palette: Colors.
    """
    axis_names = _axis_names(arms)
    fig, axes = figure(columns=len(axis_names), width=4.5 * len(axis_names), height=3.6, sharey=True)
    for ax, axis in zip(axes.flat, axis_names, strict=True):
        for name, outcomes in arms.items():
            found = survival.survival_curve(
                [getattr(item, axis) for item in outcomes], [item.reached for item in outcomes]
            )
            style = {"color": palette.color(name), "where": "post"}
            ax.step(found.times, found.reached, palette.line(name), label=f"{name} (n = {len(outcomes)})", **style)
            ax.fill_between(
                found.times, found.low, found.high, color=style["color"], step="post", alpha=0.1, linewidth=0
            )
        ax.set_xlabel("seconds on the clock" if axis == "seconds" else "samples trained on", fontsize=9)
        ax.set_ylim(-0.03, 1.03)
    axes[0, 0].set_ylabel("share of runs that reached it", fontsize=9)
    legend_below(fig, axes[0, 0])
    return fig


def draw_strip(arms: Mapping[str, Sequence[Outcome]], palette: Palette) -> Any:
    """Draw every run of every arm: a dot where it reached the target, a hollow arrow head where it was ended.

    Args:
        arms: Outcomes of each arm.
        palette: Colors.
    """
    axis_names = _axis_names(arms)
    fig, axes = figure(columns=len(axis_names), width=4.5 * len(axis_names), height=0.9 + 0.36 * len(arms), sharey=True)
    for ax, axis in zip(axes.flat, axis_names, strict=True):
        for row, (name, outcomes) in enumerate(arms.items()):
            for reached, marker, face in ((True, "o", palette.color(name)), (False, ">", "none")):
                own = [item for item in outcomes if item.reached == reached]
                x = [getattr(item, axis) for item in own]
                y = row + 0.24 * (np.array([item.seed for item in own], float) * 0.618 % 1 - 0.5)
                ax.plot(
                    x, y, marker, color=palette.color(name), markerfacecolor=face, markersize=5, alpha=0.75,
                    linestyle="none", rasterized=len(x) > _MANY,
                )  # fmt: skip
            reached = [item.reached for item in outcomes]
            median = survival.median([getattr(item, axis) for item in outcomes], reached)
            if np.isfinite(median):
                ax.plot([median, median], [row - 0.32, row + 0.32], color=palette.color(name), linewidth=2)
        ax.set_xlabel(f"{axis} to the target (bar: median; hollow: missed)", fontsize=9)
        ax.set_xlim(left=0)
    axes[0, 0].set_yticks(range(len(arms)), list(arms))
    axes[0, 0].invert_yaxis()
    return fig


def _axis_names(arms: Mapping[str, Sequence[Outcome]]) -> tuple[str, ...]:
    """Return the axes to draw: seconds only if they can be compared."""
    timed = seconds_count(item.record for outcomes in arms.values() for item in outcomes)
    return ("seconds", "samples") if timed else ("samples",)


def draw_ratios(comparisons: Sequence[Comparison], palette: Palette) -> Any:
    """Draw time and samples ratios of all arms, with their intervals; left of 1 the arm needs less.

    Args:
        comparisons: Comparisons, one for each row.
        palette: Colors.
    """
    from matplotlib.ticker import NullLocator

    fig, axes = figure(columns=2, width=9.0, height=1.0 + 0.4 * len(comparisons), sharey=True)
    for ax, axis in zip(axes.flat, ("time", "samples"), strict=True):
        for row, item in enumerate(comparisons):
            ratio = getattr(item, axis)
            if ratio is not None and not item.bound:
                bar(ax, row, ratio, palette.color(item.arm.arm), f"{ratio.value:.2f}")
            else:
                text = f"{item.reached[0]} of {item.pairs} reached it" if ratio is None else format_ratio(ratio, True)
                ax.annotate(
                    "" if axis == "time" and not item.timed else text, (1, row), xytext=(6, -3),
                    textcoords="offset points", fontsize=8, color=GRAY,
                )  # fmt: skip
        ax.axvline(1, color=GRAY, linewidth=1)
        ax.set_xscale("log")
        low, high = ax.get_xlim()
        low, high = min(low, 0.7), max(high, 1.45)
        ax.set_xticks(_ratio_ticks(low, high))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlim(low, high)
        ax.set_xlabel(f"{axis} ratio to the baseline (95 % interval)", fontsize=9)
    axes[0, 0].set_yticks(range(len(comparisons)), [item.arm.arm for item in comparisons])
    axes[0, 0].set_ylim(len(comparisons) - 0.4, -0.6)
    return fig


def _ratio_ticks(low: float, high: float) -> list[float]:
    """Return round ratios on a logarithmic axis, 1 among them, that leave room for each other."""
    apart = _APART * math.log(high / low)
    found = [1.0]
    for sign, end in ((1, high), (-1, 1 / low)):
        last = 0.0
        for tick in _TICKS:
            if tick <= end and math.log(tick) - last >= apart:
                last = math.log(tick)
                found.append(tick if sign > 0 else float(f"{1 / tick:.1g}"))
    return sorted(found)


def draw_profiles(profiles: Mapping[str, Profile], palette: Palette) -> Any:
    """Draw performance profiles over data sets.

    Args:
        profiles: Profile of each arm.
        palette: Colors.
    """
    fig, axes = figure(width=5.4, height=3.0)
    for name, profile in profiles.items():
        axes[0, 0].step(
            profile.taus, profile.shares, palette.line(name), color=palette.color(name), where="post",
            label=f"{name} ({profile.score:.2f})",
        )  # fmt: skip
    axes[0, 0].set_xlabel("factor τ of the best arm's time", fontsize=9)
    axes[0, 0].set_ylabel("share of data sets", fontsize=9)
    axes[0, 0].set_ylim(-0.03, 1.03)
    legend(axes[0, 0], loc="lower right", title="arm (mean share)")
    return fig
