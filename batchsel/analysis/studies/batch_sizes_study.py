"""Answer a sweep of batch sizes: the largest size of each mode that does as well as small batches, and its tables."""

from __future__ import annotations

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


def study(part: StudyPart) -> Study:
    """Answer the study in one of its parts."""
    found = batch_sizes(part)
    if isinstance(found, str):
        return make_study(part, 0, f"no answer yet: {found}", failure_notes(part.failures))
    seeds = found.breaking.seeds if found.breaking else 0
    tables = [_mode_table(found), _size_table(found)]
    return make_study(part, seeds, _sentence(found), _notes(found), tables, _estimates(found))


def _sentence(found: BatchSizes) -> str:
    if found.breaking is None:
        return f"no answer yet: {found.missing}"
    unit, breaking = found.unit, found.breaking
    best = f"{breaking.threshold.batch:,}{_in_brackets(found.base)}"
    small = (
        f"small batches (the best of {', '.join(f'{size:,}' for size in breaking.threshold.sizes)}, which is {best})"
    )
    value = f"{unit.number(breaking.threshold.value)}{' %' if unit.name else ''}"
    told = [f"{_mode_prefix(mode)}{point}" for mode, point in ((mode, breaking.modes[mode]) for mode in found.modes)]
    how = f"the largest batch size within {found.unit.amount(found.within)} of that is {', '.join(told)}"
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


def _notes(found: BatchSizes) -> list[str]:
    notes, seeds = _failure_notes(found), found.breaking.seeds if found.breaking else 0
    most = max(len(result.finals) for result in found.sizes.values())
    if seeds < most:
        notes.append(
            f"threshold and breaking points are of the {seeds} seeds that all sizes and modes have, of {most}."
        )
    if LEAST <= seeds < _FEW:
        notes.append(
            f"with {seeds} seeds an interval holds the true size less often than in 95 % where the next size lies near"
            " the line, and the breaking point leans to small sizes."
        )
    if any(result.seconds is None for result in found.sizes.values()):
        notes.append("runs shared the device, so their seconds are left out.")
    if found.noise is not None:
        notes.append(_noise_note(found.noise))
    return notes


def _failure_notes(found: BatchSizes) -> list[str]:
    """Return a note on failed runs: their size is not within the threshold, whatever its other runs reached."""
    if not found.failed:
        return []
    named = ", ".join(
        f"{_mode_prefix(mode)}{batch:,} ({count})" for (mode, batch), count in sorted(found.failed.items())
    )
    count = sum(found.failed.values())
    runs = "1 run failed" if count == 1 else f"{count} runs failed"
    return [f"{runs}, at {named}; a batch size with a failed run counts as not within, and means are of the others."]


def _noise_note(noise: NoiseScale) -> str:
    lost = noise.made - noise.measured
    if noise.median is None:
        return (
            f"the gradient noise scale cannot be told: {lost} of {noise.made} measurements were too noisy to bound it."
        )
    told = (
        f"the gradient noise scale tr Σ / |G|² (McCandlish et al. 2018): median {noise.median:,.0f} samples, range"
        f" {noise.range}. By that model a batch of this size needs about twice the fewest steps possible. It is pooled"
        " over runs, sizes and moments: no prediction made beforehand"
    )
    counted = f"; {lost} of {noise.made} measurements were too noisy to bound it and count as infinite" if lost else ""
    return f"{told}{counted}."


def _mode_table(found: BatchSizes) -> TextTable:
    if found.breaking is None:
        return TextTable("Breaking points", (), [], "")
    head = ("mode", "breaking point", "noise scale")
    rows = [(mode, str(found.breaking.modes[mode]), str(_noise_of_mode(found, mode) or "–")) for mode in found.modes]
    if found.noise is None:
        head, rows = head[:2], [row[:2] for row in rows]
    words = (
        "Breaking point: from a mode's best small batch size (if it has none, its smallest) upwards, the last one"
        f" whose mean is within {found.unit.amount(found.within)} of the threshold, with all measured in between. The"
        " threshold is the best of several means, so it leans to the good side, and a mean that misses by chance ends"
        " the way up: both lean the point to small sizes. "
    )
    words += (
        ""
        if all(point.low is None for point in found.breaking.modes.values())
        else "In brackets the interval of a bootstrap of seeds, for all alike, nominally 95 %. "
    )
    words += "Noise scale: median and range, in samples." if found.noise is not None else ""
    return TextTable("Breaking points", head, rows, words.strip())


def _noise_of_mode(found: BatchSizes, mode: str) -> NoiseScale | None:
    return noise_scale(record for result in found.sizes.values() if result.mode == mode for record in result.records)


def _size_table(found: BatchSizes) -> TextTable:
    unit, speed = found.unit, {(item.mode, item.batch): item for item in found.speed_ups}
    columns = [
        ("mode", lambda result: result.mode),
        ("batch", lambda result: f"{result.batch:,}"),
        ("runs", lambda result: _runs(len(result.finals), found.failed.get((result.mode, result.batch), 0))),
        (unit.axis, lambda result: unit.format(result.final)),
        (f"train − test {unit.metric}", lambda result: result.gap and unit.format(result.gap, True)),
        ("test − train loss", lambda result: result.loss_gap and _plain(result.loss_gap)),
        ("updates", lambda result: f"{result.steps:,.0f}"),
        ("seconds", lambda result: result.seconds and _plain(result.seconds)),
        ("samples/s", lambda result: result.throughput and f"{result.throughput:,.0f}"),
        ("speed-up in steps", lambda result: _speed(speed.get((result.mode, result.batch)), "steps")),
        ("in time", lambda result: _speed(speed.get((result.mode, result.batch)), "seconds")),
        ("front", lambda result: "●" if (result.mode, result.batch) in found.front else ""),
    ]
    cells = [result for mode in found.modes for result in found.sizes.values() if result.mode == mode]
    # A column in which nothing was measured is left out.
    shown = [(name, [tell(result) for result in cells]) for name, tell in columns]
    shown = [(name, [value or "–" for value in values]) for name, values in shown if any(values)]
    shown = [item for item in shown if item[0] != "mode" or len(found.modes) > 1]
    rows = list(zip(*(values for _, values in shown), strict=True))
    if found.front:
        rows = [(*row[:-1], row[-1].replace("–", "")) for row in rows]
    for mode, batch in sorted(found.failed.keys() - found.sizes.keys()):
        known = {"mode": mode, "batch": f"{batch:,}", "runs": _runs(0, found.failed[mode, batch]), "front": ""}
        rows.append(tuple(known.get(name, "–") for name, _ in shown))
    return TextTable("Batch sizes", tuple(name for name, _ in shown), rows, _caption(found))


def _caption(found: BatchSizes) -> str:
    words = "Means over seeds. " if any(len(result.finals) > 1 for result in found.sizes.values()) else ""
    if any(result.final.low is not None for result in found.sizes.values()):
        words = "Means over seeds, in brackets 95 % intervals. "
    if found.front:
        words += "Front ●: by means, of those with times and without failures, no other is both better and faster. "
    if found.speed_ups:
        first = next(item for item in found.speed_ups if item.mode == found.base)
        words += (
            f"Speed-up: how many times fewer steps (less time) it takes to a validation {found.unit.metric} of"
            f" {found.value:.4g} than with {first.batch:,}{_in_brackets(found.base)}. Where a"
            " seed does not get there it is the ratio of medians; sizes that less than half get there with have none."
            f" Arrivals are known to the grid of evaluations only, which lie up to"
            f" {max(item.grid for item in found.speed_ups):,.0f} samples apart."
        )
    return words.strip()


def _runs(ended: int, lost: int) -> str:
    return f"{ended}, {lost} failed" if lost else str(ended)


def _plain(estimate: Estimate) -> str:
    told = f"{estimate.value:.3g}"
    return told if estimate.low is None else f"{told} [{estimate.low:.3g}, {estimate.high:.3g}]"


def _speed(item: SpeedUp | None, what: str) -> str | None:
    ratio = getattr(item, what) if item is not None else None
    return format_ratio(ratio) if ratio is not None else None


def _estimates(found: BatchSizes) -> tuple[StudyEstimate, ...]:
    made = []
    if found.breaking is not None:
        seeds, threshold = found.breaking.seeds, found.breaking.threshold
        made.append(
            StudyEstimate(found.base, "threshold of small batches", found.unit.whole, Estimate(threshold.value), seeds)
        )
        for mode, point in found.breaking.modes.items():
            value, *ends = (None if of is None else _batch_or_zero(of) for of in (point.value, point.low, point.high))
            bound = f"breaking point{', ' if point.value.bound else ''}{point.value.bound}"
            made.append(StudyEstimate(mode, bound, "samples a batch", Estimate(value, *ends), seeds))
    if found.noise is not None and found.noise.median is not None:
        made.append(StudyEstimate("all runs", "noise scale, median", "samples", Estimate(found.noise.median), None))
    for result in found.sizes.values():
        made += _size_estimates(result, found.unit)
    for item in found.speed_ups:
        name = f"{item.mode}, batch size {item.batch}"
        for what in ("steps", "seconds"):
            if getattr(item, what) is not None:
                made.append(
                    StudyEstimate(
                        name,
                        f"speed-up in {what}",
                        "ratio",
                        getattr(item, what),
                        len(found.sizes[item.mode, item.batch].finals),
                    )
                )
    return tuple(made)


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
    return [StudyEstimate(name, quantity, of, estimate, n) for quantity, of, estimate in known if estimate is not None]
