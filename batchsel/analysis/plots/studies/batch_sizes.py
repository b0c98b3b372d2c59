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
    close = any(close_up(sweep) for _, sweep in known)
    fig, axes = figure(1 + close, len(known), _WIDTH if close else 6.0, _HEIGHT * len(known))
    for row, (part, sweep) in zip(axes, known, strict=True):
        for ax in row:
            _lines(ax, sweep, lambda result: result.final)
            _threshold(ax, sweep)
            ax.set_ylabel(sweep.unit.axis, fontsize=9)
        _set_title(row[0], part, known)
        if close and close_up(sweep):
            row[1].set_ylim(close_up(sweep))
            row[1].set_title("near the threshold", fontsize=9, loc="left")
        elif close:
            row[1].set_axis_off()
    legend_below(fig, axes[0, 0])
    return fig


def close_up(sweep: BatchSizes) -> tuple[float, float] | None:
    """Return the range of values around the threshold, where far values would squeeze the others together.

    Args:
        sweep: Results of the sweep.
    """
    if sweep.breaking is None:
        return None
    level, step = sweep.breaking.threshold.value, sweep.within or 1.0
    values = [result.final.value for result in sweep.sizes.values()]
    if max(abs(value - level) for value in values) <= _FAR * step:
        return None
    return (level - 3 * step, level + 2 * step) if sweep.unit.rising else (level - 2 * step, level + 3 * step)


def _threshold(ax: Any, sweep: BatchSizes) -> None:
    """Draw the threshold of small batches, its tolerance, and a ring around the breaking point of each mode."""
    if sweep.breaking is None:
        return
    level = sweep.breaking.threshold.value
    lowest = level - sweep.within if sweep.unit.rising else level + sweep.within
    ax.axhline(level, color=GRAY, linewidth=0.8, label="threshold of small batches")
    ax.axhline(lowest, color=GRAY, linewidth=0.8, linestyle=":", label="lowest mean that is within")
    palette, label = Palette(sweep.modes), {"label": "breaking point"}
    for mode, point in sweep.breaking.modes.items():
        if not point.value.bound:  # otherwise it lies beyond the measured sizes
            y = sweep.sizes[mode, point.value.batch].final.value
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
            lambda sweep: f"train − test {sweep.unit.metric}{', points' if sweep.unit.name else ''}",
            lambda result: result.gap,
        ),
        (lambda sweep: "test − train loss", lambda result: result.loss_gap),
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
        (lambda sweep: "seconds to the end of the budget", lambda result: result.seconds),
        (lambda sweep: "samples trained on a second", lambda result: result.throughput and Estimate(result.throughput)),
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
    known = [(part, sweep) for part, sweep in _known(arms, failures) if len(sweep.speed_ups) > 1]
    if not known:
        return None
    fig, axes = figure(columns=2, rows=len(known), width=_WIDTH, height=_HEIGHT * len(known))
    for row, (part, sweep) in zip(axes, known, strict=True):
        for ax, quantity in zip(row, ("steps", "seconds"), strict=True):
            _speed(ax, sweep, quantity)
            ax.set_ylabel("speed-up in steps" if quantity == "steps" else "speed-up in time", fontsize=9)
            _set_title(ax, part, known)
    legend_below(fig, axes[0, 0])
    return fig


def _speed(ax: Any, sweep: BatchSizes, quantity: str) -> None:
    points: dict[str, list[SpeedUp]] = {mode: [] for mode in sweep.modes}
    for item in sweep.speed_ups:
        if getattr(item, quantity) is not None:
            points[item.mode].append(item)
    if not any(points.values()):
        ax.set_axis_off()
        return
    palette = Palette(sweep.modes)
    for mode, items in points.items():
        estimates = {item.batch: getattr(item, quantity) for item in items}
        _line(ax, estimates, palette, mode)
    sizes = sorted({item.batch for item in sweep.speed_ups})
    first = next(item.batch for item in sweep.speed_ups if item.mode == sweep.base)
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
        item for item in columns if any(item[1](result) for _, sweep in known for result in sweep.sizes.values())
    ]
    if not columns:
        return None
    fig, axes = figure(len(columns), len(known), _WIDTH if len(columns) > 1 else 5.4, _HEIGHT * len(known))
    for row, (part, sweep) in zip(axes, known, strict=True):
        for ax, (name, value) in zip(row, columns, strict=True):
            _lines(ax, sweep, value)
            if log:
                log_scale(ax.yaxis)
            ax.set_ylabel(name(sweep), fontsize=9)
            _set_title(ax, part, known)
    if axes[0, 0].get_legend_handles_labels()[0]:
        legend_below(fig, axes[0, 0])
    return fig


def _lines(ax: Any, sweep: BatchSizes, value: Callable[[SizeResult], Any]) -> None:
    palette = Palette(sweep.modes)
    for mode in sweep.modes:
        _line(
            ax, {batch: value(result) for (name, batch), result in sweep.sizes.items() if name == mode}, palette, mode
        )
    _sizes_axis(ax, sweep.batches)


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
    records = [run for runs in arms.values() for run in runs]
    sweeps = [(part, batch_sizes(part)) for part in split_into_parts(records, "batch_sizes", failures)]
    return [(part, sweep) for part, sweep in sweeps if not isinstance(sweep, str)]
