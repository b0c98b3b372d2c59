"""Draw a sweep of batch sizes: final metric, generalization gap, time, and speed-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from batchsel.analysis.plots.style import GRAY, INK, Palette, figure, legend_below, log_scale
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.batch_sizes import PLAIN, BatchSizes, SizeResult, batch_sizes
from batchsel.analysis.studies.speed_up import SpeedUp
from batchsel.analysis.studies.study_parts import StudyPart, split_into_parts
from batchsel.experiments.run.run_record import FailureRecord, RunRecord

Arms = Mapping[str, Sequence[RunRecord]]
Failures = Sequence[FailureRecord]
_TICKS = 8
"""Largest number of sizes that are all labeled on an axis."""
_FAR = 6
"""Values further from the threshold than this many tolerances call for a close-up."""
_WIDTH, _HEIGHT = 9.0, 3.5


def draw_accuracy(arms: Arms, palette: Palette, failures: Failures = ()) -> Any:
    """Draw the final metric against the batch size in each mode, with the threshold of small batches and its tolerance.

    Args:
        arms: Records of each arm.
        palette: Not used: colors are those of modes.
        failures: Records of runs that failed.

    Returns:
        The figure, or None if no part is a sweep.
    """
    known = _known(arms, failures)
    if not known:
        return None
    close = any(close_up(found) for _, found in known)
    made, axes = figure(1 + close, len(known), _WIDTH if close else 6.0, _HEIGHT * len(known))
    for row, (part, found) in zip(axes, known, strict=True):
        for ax in row:
            _lines(ax, found, lambda result: result.final)
            _threshold(ax, found)
            ax.set_ylabel(found.unit.axis, fontsize=9)
        _set_title(row[0], part, known)
        if close and close_up(found):
            row[1].set_ylim(close_up(found))
            row[1].set_title("near the threshold", fontsize=9, loc="left")
        elif close:
            row[1].set_axis_off()
    legend_below(made, axes[0, 0])
    return made


def close_up(found: BatchSizes) -> tuple[float, float] | None:
    """Return the range of values around the threshold, where far values would squeeze the others together.

    Args:
        found: Results of the sweep.
    """
    if found.breaking is None:
        return None
    level, step = found.breaking.threshold.value, found.within or 1.0
    values = [result.final.value for result in found.sizes.values()]
    if max(abs(value - level) for value in values) <= _FAR * step:
        return None
    return (level - 3 * step, level + 2 * step) if found.unit.rising else (level - 2 * step, level + 3 * step)


def _threshold(ax: Any, found: BatchSizes) -> None:
    """Draw the threshold of small batches, its tolerance, and a ring around the breaking point of each mode."""
    if found.breaking is None:
        return
    level = found.breaking.threshold.value
    lowest = level - found.within if found.unit.rising else level + found.within
    ax.axhline(level, color=GRAY, linewidth=0.8, label="threshold of small batches")
    ax.axhline(lowest, color=GRAY, linewidth=0.8, linestyle=":", label="lowest mean that is within")
    palette, label = Palette(found.modes), {"label": "breaking point"}
    for mode, point in found.breaking.modes.items():
        if not point.value.bound:  # otherwise it lies beyond the measured sizes
            y = found.sizes[mode, point.value.batch].final.value
            ax.plot(point.value.batch, y, "o", ms=11, mfc="none", mec=palette.color(mode), mew=1.6, ls="none", **label)
            label = {}


def draw_gap(arms: Arms, palette: Palette, failures: Failures = ()) -> Any:
    """Draw the generalization gap against the batch size: in the metric, and in the loss.

    Args:
        arms: Records of each arm.
        palette: Not used: colors are those of modes.
        failures: Records of runs that failed.

    Returns:
        The figure, or None if no sweep was measured on its training data.
    """
    columns = (
        (
            lambda found: f"train − test {found.unit.metric}{', points' if found.unit.name else ''}",
            lambda result: result.gap,
        ),
        (lambda found: "test − train loss", lambda result: result.loss_gap),
    )
    return _panels(arms, failures, columns)


def draw_time(arms: Arms, palette: Palette, failures: Failures = ()) -> Any:
    """Draw seconds of training to the end of the budget, and samples per second, against the batch size.

    Args:
        arms: Records of each arm.
        palette: Not used: colors are those of modes.
        failures: Records of runs that failed.

    Returns:
        The figure, or None if runs shared the device.
    """
    columns = (
        (lambda found: "seconds to the end of the budget", lambda result: result.seconds),
        (lambda found: "samples trained on a second", lambda result: result.throughput and Estimate(result.throughput)),
    )
    return _panels(arms, failures, columns, log=True)


def draw_speed_up(arms: Arms, palette: Palette, failures: Failures = ()) -> Any:
    """Draw the speed-up in steps and in time of larger batches to the value that small ones reach, with the ideal line.

    Args:
        arms: Records of each arm.
        palette: Not used: colors are those of modes.
        failures: Records of runs that failed.

    Returns:
        The figure, or None if fewer than two sizes reach it.
    """
    known = [(part, found) for part, found in _known(arms, failures) if len(found.speed_ups) > 1]
    if not known:
        return None
    made, axes = figure(columns=2, rows=len(known), width=_WIDTH, height=_HEIGHT * len(known))
    for row, (part, found) in zip(axes, known, strict=True):
        for ax, what in zip(row, ("steps", "seconds"), strict=True):
            _speed(ax, found, what)
            ax.set_ylabel("speed-up in steps" if what == "steps" else "speed-up in time", fontsize=9)
            _set_title(ax, part, known)
    legend_below(made, axes[0, 0])
    return made


def _speed(ax: Any, found: BatchSizes, what: str) -> None:
    points: dict[str, list[SpeedUp]] = {mode: [] for mode in found.modes}
    for item in found.speed_ups:
        if getattr(item, what) is not None:
            points[item.mode].append(item)
    if not any(points.values()):
        ax.set_axis_off()
        return
    palette = Palette(found.modes)
    for mode, items in points.items():
        estimates = {item.batch: getattr(item, what) for item in items}
        _line(ax, estimates, palette, mode)
    sizes = sorted({item.batch for item in found.speed_ups})
    first = next(item.batch for item in found.speed_ups if item.mode == found.base)
    ax.plot(sizes, [size / first for size in sizes], color=GRAY, linewidth=0.8, label="ideal: the batch size's ratio")
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:g}")
    _sizes_axis(ax, sizes)


def _panels(
    arms: Arms,
    failures: Failures,
    columns: Sequence[tuple[Callable[..., str], Callable[[SizeResult], Any]]],
    log: bool = False,
) -> Any:
    """Draw a panel for each quantity that any batch size has."""
    known = _known(arms, failures)
    columns = [
        item for item in columns if any(item[1](result) for _, found in known for result in found.sizes.values())
    ]
    if not columns:
        return None
    made, axes = figure(len(columns), len(known), _WIDTH if len(columns) > 1 else 5.4, _HEIGHT * len(known))
    for row, (part, found) in zip(axes, known, strict=True):
        for ax, (name, of) in zip(row, columns, strict=True):
            _lines(ax, found, of)
            if log:
                log_scale(ax.yaxis)
            ax.set_ylabel(name(found), fontsize=9)
            _set_title(ax, part, known)
    if axes[0, 0].get_legend_handles_labels()[0]:
        legend_below(made, axes[0, 0])
    return made


def _lines(ax: Any, found: BatchSizes, of: Callable[[SizeResult], Any]) -> None:
    palette = Palette(found.modes)
    for mode in found.modes:
        _line(ax, {batch: of(result) for (name, batch), result in found.sizes.items() if name == mode}, palette, mode)
    _sizes_axis(ax, found.batches)


def _line(ax: Any, estimates: Mapping[int, Estimate | None], palette: Palette, mode: str) -> None:
    known = {batch: estimate for batch, estimate in sorted(estimates.items()) if estimate is not None}
    if not known:
        return
    label = {} if mode == PLAIN else {"label": mode}
    color, values = palette.color(mode), [estimate.value for estimate in known.values()]
    ax.plot(list(known), values, palette.line(mode), marker="o", markersize=4, color=color, **label)
    for batch, estimate in known.items():
        if estimate.low is not None:
            ax.plot([batch, batch], [estimate.low, estimate.high], color=color, linewidth=1.4, alpha=0.6)


def _sizes_axis(ax: Any, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import NullLocator

    ax.set_xscale("log", base=2)
    every = -(-len(sizes) // _TICKS)
    shown = list(sizes)[:: every or 1]
    ax.set_xticks(shown, [f"{size:,}" for size in shown], color=INK)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("batch size", fontsize=9)


def _set_title(ax: Any, part: StudyPart, known: Sequence[Any]) -> None:
    if len(known) > 1:
        ax.set_title(part.place, fontsize=9, loc="left")


def _known(arms: Arms, failures: Failures) -> list[tuple[StudyPart, BatchSizes]]:
    found = [
        (part, batch_sizes(part))
        for part in split_into_parts([run for of in arms.values() for run in of], "batch_sizes", failures)
    ]
    return [(part, of) for part, of in found if not isinstance(of, str)]
