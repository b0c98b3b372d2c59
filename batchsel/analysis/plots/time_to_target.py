"""When runs reach the target: Kaplan-Meier curves, all seeds in a strip, and ratios with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.analysis.comparison import Comparison
from batchsel.analysis.outcomes import Outcome
from batchsel.analysis.plots.style import GRAY, Palette, bar, figure, legend, legend_below
from batchsel.analysis.stats import survival

_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.4, 2, 3, 5, 10)


def draw_survival(arms: Mapping[str, Sequence[Outcome]], palette: Palette) -> Any:
    """The share of runs that have reached the target, over seconds and over samples.

    Args:
        arms: Outcomes of each arm.
        palette: Colors.
    """
    axes_named = _axes(arms)
    made, axes = figure(columns=len(axes_named), width=4.5 * len(axes_named), height=3.6, sharey=True)
    for one, axis in zip(axes.flat, axes_named, strict=True):
        for name, outcomes in arms.items():
            found = survival.curve([getattr(item, axis) for item in outcomes], [item.reached for item in outcomes])
            style = {"color": palette.color(name), "where": "post"}
            one.step(found.times, found.reached, palette.line(name), label=f"{name} (n = {len(outcomes)})", **style)
            one.fill_between(
                found.times, found.low, found.high, color=style["color"], step="post", alpha=0.1, linewidth=0
            )
        one.set_xlabel("seconds on the clock" if axis == "seconds" else "samples trained on", fontsize=9)
        one.set_ylim(-0.03, 1.03)
    axes[0, 0].set_ylabel("share of runs that reached it", fontsize=9)
    legend_below(made, axes[0, 0])
    return made


def draw_strip(arms: Mapping[str, Sequence[Outcome]], palette: Palette) -> Any:
    """Every run of every arm: a dot where it reached the target, a hollow arrow head where it was ended.

    Args:
        arms: Outcomes of each arm.
        palette: Colors.
    """
    axes_named = _axes(arms)
    made, axes = figure(
        columns=len(axes_named), width=4.5 * len(axes_named), height=0.9 + 0.36 * len(arms), sharey=True
    )
    for one, axis in zip(axes.flat, axes_named, strict=True):
        for row, (name, outcomes) in enumerate(arms.items()):
            for item in outcomes:
                x, y = getattr(item, axis), row + 0.24 * (np.modf(item.seed * 0.618)[0] - 0.5)
                marker = "o" if item.reached else ">"
                face = palette.color(name) if item.reached else "none"
                one.plot(x, y, marker, color=palette.color(name), markerfacecolor=face, markersize=5, alpha=0.75)
            reached = [item.reached for item in outcomes]
            middle = survival.median([getattr(item, axis) for item in outcomes], reached)
            if np.isfinite(middle):
                one.plot([middle, middle], [row - 0.32, row + 0.32], color=palette.color(name), linewidth=2)
        one.set_xlabel(f"{axis} to the target (bar: median; hollow: missed)", fontsize=9)
        one.set_xlim(left=0)
    axes[0, 0].set_yticks(range(len(arms)), list(arms))
    axes[0, 0].invert_yaxis()
    return made


def _axes(arms: Mapping[str, Sequence[Outcome]]) -> tuple[str, ...]:
    """Seconds are drawn only if all runs had the device alone."""
    shared = any(item.record["contended"] for outcomes in arms.values() for item in outcomes)
    return ("samples",) if shared else ("seconds", "samples")


def draw_ratios(comparisons: Sequence[Comparison], palette: Palette) -> Any:
    """Time and samples ratios of all arms side by side, with their intervals; left of 1 the arm needs less.

    Args:
        comparisons: One a row.
        palette: Colors.
    """
    from matplotlib.ticker import NullLocator

    made, axes = figure(columns=2, width=9.0, height=1.0 + 0.4 * len(comparisons), sharey=True)
    for one, axis in zip(axes.flat, ("time", "samples"), strict=True):
        for row, item in enumerate(comparisons):
            ratio = getattr(item, axis)
            if ratio is not None:
                bar(one, row, ratio, palette.color(item.arm.arm), f"{ratio.value:.2f}")
        one.axvline(1, color=GRAY, linewidth=1)
        one.set_xscale("log")
        low, high = one.get_xlim()
        low, high = min(low, 0.7), max(high, 1.45)
        one.set_xticks([tick for tick in _TICKS if low <= tick <= high])
        one.xaxis.set_major_formatter("{x:g}")
        one.xaxis.set_minor_locator(NullLocator())
        one.set_xlim(low, high)
        one.set_xlabel(f"{axis} ratio to the baseline (95 % interval)", fontsize=9)
    axes[0, 0].set_yticks(range(len(comparisons)), [item.arm.arm for item in comparisons])
    axes[0, 0].set_ylim(len(comparisons) - 0.4, -0.6)
    return made


def draw_profiles(profiles: Mapping[str, Any], palette: Palette) -> Any:
    """Performance profiles over data sets.

    Args:
        profiles: A `Profile` of each arm.
        palette: Colors.
    """
    made, axes = figure(width=5.4, height=3.0)
    for name, profile in profiles.items():
        axes[0, 0].step(
            profile.taus, profile.shares, palette.line(name), color=palette.color(name), where="post",
            label=f"{name} ({profile.score:.2f})",
        )  # fmt: skip
    axes[0, 0].set_xlabel("factor τ of the best arm's time", fontsize=9)
    axes[0, 0].set_ylabel("share of data sets", fontsize=9)
    axes[0, 0].set_ylim(-0.03, 1.03)
    legend(axes[0, 0], loc="lower right", title="arm (mean share)")
    return made
