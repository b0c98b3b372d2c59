"""Answer a sweep of batch sizes: the largest size of each mode that does as well as small batches, and its tables."""

from __future__ import annotations

from collections.abc import Callable

from batchsel.analysis.final_metrics import MetricUnit
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.batch_sizes import PLAIN, BatchSizes, SizeResult, batch_sizes
from batchsel.analysis.studies.breaking_point import LEAST, BreakingPoints, SizeOrBound
from batchsel.analysis.studies.noise_scale import NoiseScale, noise_scale
from batchsel.analysis.studies.speed_up import SpeedUp
from batchsel.analysis.studies.study import ONE_SEED, Study, StudyEstimate, TextTable, failure_notes, make_study
from batchsel.analysis.studies.study_parts import StudyPart
from batchsel.analysis.verdict import format_ratio

_FEW = 10
"""With fewer seeds the interval covers less than it claims where the next size lies near the line."""


def answer(part: StudyPart) -> Study:
    """Answer the study in one of its parts."""
    sweep = batch_sizes(part)
    if isinstance(sweep, str):
        return make_study(part, 0, f"no answer yet: {sweep}", failure_notes(part.failures))
    seeds = sweep.breaking.seeds if sweep.breaking else 0
    tables = [_mode_table(sweep), _size_table(sweep)]
    return make_study(part, seeds, _sentence(sweep), _notes(sweep), tables, _estimates(sweep))


def _sentence(sweep: BatchSizes) -> str:
    if sweep.breaking is None:
        return f"no answer yet: {sweep.missing}"
    unit, breaking = sweep.unit, sweep.breaking
    best = f"{breaking.threshold.batch:,}{_in_brackets(sweep.base)}"
    small = (
        f"small batches (the best of {', '.join(f'{size:,}' for size in breaking.threshold.sizes)}, which is {best})"
    )
    value = f"{unit.number(breaking.threshold.value)}{' %' if unit.name else ''}"
    sizes = [f"{_mode_prefix(mode)}{point}" for mode, point in ((mode, breaking.modes[mode]) for mode in sweep.modes)]
    how = f"the largest batch size within {sweep.unit.amount(sweep.within)} of that is {', '.join(sizes)}"
    return f"{small} end at a test {unit.metric} of {value}; {how} ({_basis(breaking)})"


def _basis(breaking: BreakingPoints) -> str:
    if breaking.seeds == 1:
        return ONE_SEED
    if breaking.seeds < LEAST:
        return f"{breaking.seeds} seeds: too few for an interval"
    if all(point.low is None for point in breaking.modes.values()):
        return f"{breaking.seeds} seeds that agree: no interval"
    return f"bootstrap intervals, nominally 95 %, {breaking.seeds} seeds"


def _mode_prefix(mode: str) -> str:
    return "" if mode == PLAIN else f"{mode}: "


def _in_brackets(mode: str) -> str:
    return "" if mode == PLAIN else f" ({mode})"


def _notes(sweep: BatchSizes) -> list[str]:
    notes, seeds = _failure_notes(sweep), sweep.breaking.seeds if sweep.breaking else 0
    most = max(len(result.finals) for result in sweep.sizes.values())
    if seeds < most:
        notes.append(f"threshold and breaking points use the {seeds} of {most} seeds that all sizes and modes have.")
    if LEAST <= seeds < _FEW:
        notes.append(
            f"with {seeds} seeds an interval covers the true size in fewer than 95 % of cases where the next size lies"
            " near the line, and the breaking point is biased toward small sizes."
        )
    if any(result.seconds is None for result in sweep.sizes.values()):
        notes.append("runs shared the device, so their seconds are left out.")
    if sweep.noise is not None:
        notes.append(_noise_note(sweep.noise))
    return notes


def _failure_notes(sweep: BatchSizes) -> list[str]:
    """Return a note on failed runs: their size is not within the threshold, whatever its other runs reached."""
    if not sweep.failed:
        return []
    named = ", ".join(
        f"{_mode_prefix(mode)}{batch:,} ({count})" for (mode, batch), count in sorted(sweep.failed.items())
    )
    count = sum(sweep.failed.values())
    runs = "1 run failed" if count == 1 else f"{count} runs failed"
    return [f"{runs}, at {named}; a batch size with a failed run counts as not within, and means are of the others."]


def _noise_note(noise: NoiseScale) -> str:
    unbounded = noise.made - noise.measured
    if noise.median is None:
        return (
            f"the gradient noise scale is unknown: {unbounded} of {noise.made} measurements were too noisy to bound it."
        )
    text = (
        f"the gradient noise scale tr Σ / |G|² (McCandlish et al. 2018): median {noise.median:,.0f} samples, range"
        f" {noise.range}. By that model a batch of this size needs about twice the fewest steps possible. It is pooled"
        " over runs, sizes and times, so it is not a prediction"
    )
    counted = (
        f"; {unbounded} of {noise.made} measurements were too noisy to bound it and count as infinite"
        if unbounded
        else ""
    )
    return f"{text}{counted}."


def _mode_table(sweep: BatchSizes) -> TextTable:
    if sweep.breaking is None:
        return TextTable("Breaking points", (), [], "")
    head = ("mode", "breaking point", "noise scale")
    rows = [(mode, str(sweep.breaking.modes[mode]), str(_noise_of_mode(sweep, mode) or "–")) for mode in sweep.modes]
    if sweep.noise is None:
        head, rows = head[:2], [row[:2] for row in rows]
    caption = (
        "Breaking point: from a mode's best small batch size (if it has none, its smallest) upwards, the last one"
        f" whose mean is within {sweep.unit.amount(sweep.within)} of the threshold, with all measured in between. The"
        " threshold is the best of several means, so it is optimistic, and a mean that misses by chance ends the"
        " search: both bias the point toward small sizes. "
    )
    caption += (
        ""
        if all(point.low is None for point in sweep.breaking.modes.values())
        else "In brackets: interval of a bootstrap over seeds, with the same resamples for all, nominally 95 %. "
    )
    caption += "Noise scale: median and range, in samples." if sweep.noise is not None else ""
    return TextTable("Breaking points", head, rows, caption.strip())


def _noise_of_mode(sweep: BatchSizes, mode: str) -> NoiseScale | None:
    return noise_scale(record for result in sweep.sizes.values() if result.mode == mode for record in result.records)


def _size_table(sweep: BatchSizes) -> TextTable:
    results = [result for mode in sweep.modes for result in sweep.sizes.values() if result.mode == mode]
    # A column in which nothing was measured is left out.
    columns = [(name, [text(result) for result in results]) for name, text in _size_columns(sweep)]
    columns = [(name, [value or "–" for value in values]) for name, values in columns if any(values)]
    columns = [item for item in columns if item[0] != "mode" or len(sweep.modes) > 1]
    rows: list[tuple[str, ...]] = list(zip(*(values for _, values in columns), strict=True))
    if sweep.front:
        rows = [(*row[:-1], row[-1].replace("–", "")) for row in rows]
    for mode, batch in sorted(sweep.failed.keys() - sweep.sizes.keys()):
        known = {"mode": mode, "batch": f"{batch:,}", "runs": _runs(0, sweep.failed[mode, batch]), "front": ""}
        rows.append(tuple(known.get(name, "–") for name, _ in columns))
    return TextTable("Batch sizes", tuple(name for name, _ in columns), rows, _caption(sweep))


def _size_columns(sweep: BatchSizes) -> list[tuple[str, Callable[[SizeResult], str | None]]]:
    """Return the name of each column and the function that formats its cells."""
    unit, speed = sweep.unit, {(item.mode, item.batch): item for item in sweep.speed_ups}
    return [
        ("mode", lambda result: result.mode),
        ("batch", lambda result: f"{result.batch:,}"),
        ("runs", lambda result: _runs(len(result.finals), sweep.failed.get((result.mode, result.batch), 0))),
        (unit.axis, lambda result: unit.format(result.final)),
        (f"train − test {unit.metric}", lambda result: result.gap and unit.format(result.gap, True)),
        ("test − train loss", lambda result: result.loss_gap and _plain(result.loss_gap)),
        ("updates", lambda result: f"{result.steps:,.0f}"),
        ("seconds", lambda result: result.seconds and _plain(result.seconds)),
        ("samples/s", lambda result: f"{result.throughput:,.0f}" if result.throughput else None),
        ("speed-up in steps", lambda result: _speed(speed.get((result.mode, result.batch)), "steps")),
        ("in time", lambda result: _speed(speed.get((result.mode, result.batch)), "seconds")),
        ("front", lambda result: "●" if (result.mode, result.batch) in sweep.front else ""),
    ]


def _caption(sweep: BatchSizes) -> str:
    caption = (
        "Means over seeds, geometric ones of seconds. "
        if any(len(result.finals) > 1 for result in sweep.sizes.values())
        else ""
    )
    if any(result.final.low is not None for result in sweep.sizes.values()):
        caption = "Means over seeds, geometric ones of seconds; in brackets: 95 % intervals. "
    if sweep.front:
        caption += "Front ●: by means, of those with times and without failures, no other is both better and faster. "
    if sweep.speed_ups:
        first = next(item for item in sweep.speed_ups if item.mode == sweep.base)
        caption += (
            f"Speed-up: how many times fewer steps (less time) it takes to a validation {sweep.unit.metric} of"
            f" {sweep.value:.4g} than with {first.batch:,}{_in_brackets(sweep.base)}. Where a"
            " seed does not reach it, it is the ratio of medians; sizes with which fewer than half of the seeds reach"
            f" it have none. Speed-ups are exact only up to the grid of evaluations, which are at most"
            f" {max(item.grid for item in sweep.speed_ups):,.0f} samples apart."
        )
    return caption.strip()


def _runs(ended: int, failed: int) -> str:
    return f"{ended}, {failed} failed" if failed else str(ended)


def _plain(estimate: Estimate) -> str:
    text = f"{estimate.value:.3g}"
    return text if estimate.low is None else f"{text} [{estimate.low:.3g}, {estimate.high:.3g}]"


def _speed(item: SpeedUp | None, quantity: str) -> str | None:
    ratio = getattr(item, quantity) if item is not None else None
    return format_ratio(ratio) if ratio is not None else None


def _estimates(sweep: BatchSizes) -> tuple[StudyEstimate, ...]:
    items = []
    if sweep.breaking is not None:
        seeds, threshold = sweep.breaking.seeds, sweep.breaking.threshold
        items.append(
            StudyEstimate(sweep.base, "threshold of small batches", sweep.unit.whole, Estimate(threshold.value), seeds)
        )
        for mode, point in sweep.breaking.modes.items():
            low, high = (size and _batch_or_zero(size) for size in (point.low, point.high))
            estimate = Estimate(_batch_or_zero(point.value), low, high)
            bound = f"breaking point{', ' if point.value.bound else ''}{point.value.bound}"
            items.append(StudyEstimate(mode, bound, "samples a batch", estimate, seeds))
    if sweep.noise is not None and sweep.noise.median is not None:
        items.append(StudyEstimate("all runs", "noise scale, median", "samples", Estimate(sweep.noise.median), None))
    for result in sweep.sizes.values():
        items += _size_estimates(result, sweep.unit)
    for item in sweep.speed_ups:
        name, n = f"{item.mode}, batch size {item.batch}", len(sweep.sizes[item.mode, item.batch].finals)
        items.append(StudyEstimate(name, "speed-up in steps", "ratio", item.steps, n))
        if item.seconds is not None:
            items.append(StudyEstimate(name, "speed-up in seconds", "ratio", item.seconds, n))
    return tuple(items)


def _batch_or_zero(size: SizeOrBound) -> float:
    """Return the batch size, or 0 where no size is within."""
    return 0.0 if size.bound == "none" else float(size.batch)


def _size_estimates(result: SizeResult, unit: MetricUnit) -> list[StudyEstimate]:
    name, n = f"{result.mode}, batch size {result.batch}", len(result.finals)
    metric = unit.metric
    known = [
        (f"test {metric}", unit.whole, result.final),
        (f"train - test {metric}", unit.name, result.gap),
        ("test - train loss", "", result.loss_gap),
        ("training", "s", result.seconds),
        ("updates", "", Estimate(result.steps)),
        ("throughput", "samples/s", None if result.throughput is None else Estimate(result.throughput)),
    ]
    return [
        StudyEstimate(name, quantity, label, estimate, n) for quantity, label, estimate in known if estimate is not None
    ]
