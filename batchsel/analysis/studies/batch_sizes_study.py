"""The answer of a sweep of batch sizes: up to where each mode does as well as small batches, and its tables."""

from __future__ import annotations

from batchsel.analysis.final_metrics import Unit
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.batch_sizes import PLAIN, BatchSizes, Cell, batch_sizes
from batchsel.analysis.studies.breaking_point import LEAST, BreakingPoint, Size
from batchsel.analysis.studies.noise_scale import NoiseScale, noise_scale
from batchsel.analysis.studies.speed_up import SpeedUp
from batchsel.analysis.studies.study import ONE_SEED, Finding, Study, Table, answered, failed
from batchsel.analysis.studies.study_parts import Part
from batchsel.analysis.verdict import number

_FEW = 10
"""With fewer seeds the interval holds the true size less often than it says, where the next size lies near the line."""


def study(part: Part) -> Study:
    """The study of a part.

    Args:
        part: Its records.
    """
    found = batch_sizes(part)
    if isinstance(found, str):
        return answered(part, 0, f"no answer yet: {found}", failed(part.failures))
    seeds = found.broken.seeds if found.broken else 0
    tables = [_modes(found), _cells(found)]
    return answered(part, seeds, _sentence(found), _notes(found), tables, _findings(found))


def _sentence(found: BatchSizes) -> str:
    if found.broken is None:
        return f"no answer yet: {found.missing}"
    unit, broken = found.unit, found.broken
    best = f"{broken.threshold.batch:,}{_of(found.base)}"
    small = f"small batches (the best of {', '.join(f'{size:,}' for size in broken.threshold.sizes)}, which is {best})"
    value = f"{unit.number(broken.threshold.value)}{' %' if unit.name else ''}"
    told = [f"{_named(mode)}{point}" for mode, point in ((mode, broken.modes[mode]) for mode in found.modes)]
    how = f"the largest batch size within {found.unit.amount(found.within)} of that is {', '.join(told)}"
    return f"{small} end at a test {unit.metric} of {value}; {how} ({_basis(broken)})"


def _basis(broken: BreakingPoint) -> str:
    if broken.seeds == 1:
        return ONE_SEED
    if broken.seeds < LEAST:
        return f"{broken.seeds} seeds: too few for an interval"
    if all(point.low is None for point in broken.modes.values()):
        return f"{broken.seeds} seeds that agree: no interval"
    return f"bootstrap intervals, nominally 95 %, {broken.seeds} seeds"


def _named(mode: str) -> str:
    return "" if mode == PLAIN else f"{mode}: "


def _of(mode: str) -> str:
    return "" if mode == PLAIN else f" ({mode})"


def _notes(found: BatchSizes) -> list[str]:
    notes, seeds = _lost(found), found.broken.seeds if found.broken else 0
    most = max(len(cell.finals) for cell in found.cells.values())
    if seeds < most:
        notes.append(
            f"threshold and breaking points are of the {seeds} seeds that all sizes and modes have, of {most}."
        )
    if LEAST <= seeds < _FEW:
        notes.append(
            f"with {seeds} seeds an interval holds the true size less often than in 95 % where the next size lies near"
            " the line, and the breaking point leans to small sizes."
        )
    if any(cell.seconds is None for cell in found.cells.values()):
        notes.append("runs shared the device, so their seconds are left out.")
    if found.noise is not None:
        notes.append(_noise(found.noise))
    return notes


def _lost(found: BatchSizes) -> list[str]:
    """What failed: such a size does not hold the threshold, whatever its other runs came to."""
    if not found.lost:
        return []
    named = ", ".join(f"{_named(mode)}{batch:,} ({count})" for (mode, batch), count in sorted(found.lost.items()))
    count = sum(found.lost.values())
    runs = "1 run failed" if count == 1 else f"{count} runs failed"
    return [f"{runs}, at {named}; a batch size with a failed run counts as not within, and means are of the others."]


def _noise(noise: NoiseScale) -> str:
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


def _modes(found: BatchSizes) -> Table:
    if found.broken is None:
        return Table("Breaking points", (), [], "")
    head = ("mode", "breaking point", "noise scale")
    rows = [(mode, str(found.broken.modes[mode]), str(_noise_of(found, mode) or "–")) for mode in found.modes]
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
        if all(point.low is None for point in found.broken.modes.values())
        else "In brackets the interval of a bootstrap of seeds, for all alike, nominally 95 %. "
    )
    words += "Noise scale: median and range, in samples." if found.noise is not None else ""
    return Table("Breaking points", head, rows, words.strip())


def _noise_of(found: BatchSizes, mode: str) -> NoiseScale | None:
    return noise_scale(record for cell in found.cells.values() if cell.mode == mode for record in cell.records)


def _cells(found: BatchSizes) -> Table:
    unit, speed = found.unit, {(item.mode, item.batch): item for item in found.speed_ups}
    columns = [
        ("mode", lambda cell: cell.mode),
        ("batch", lambda cell: f"{cell.batch:,}"),
        ("runs", lambda cell: _runs(len(cell.finals), found.lost.get((cell.mode, cell.batch), 0))),
        (unit.axis, lambda cell: unit.tell(cell.final)),
        (f"train − test {unit.metric}", lambda cell: cell.gap and unit.tell(cell.gap, True)),
        ("test − train loss", lambda cell: cell.loss_gap and _plain(cell.loss_gap)),
        ("updates", lambda cell: f"{cell.steps:,.0f}"),
        ("seconds", lambda cell: cell.seconds and _plain(cell.seconds)),
        ("samples/s", lambda cell: cell.throughput and f"{cell.throughput:,.0f}"),
        ("speed-up in steps", lambda cell: _speed(speed.get((cell.mode, cell.batch)), "steps")),
        ("in time", lambda cell: _speed(speed.get((cell.mode, cell.batch)), "seconds")),
        ("front", lambda cell: "●" if (cell.mode, cell.batch) in found.front else ""),
    ]
    cells = [cell for mode in found.modes for cell in found.cells.values() if cell.mode == mode]
    # A column in which nothing was measured is left out.
    shown = [(name, [tell(cell) for cell in cells]) for name, tell in columns]
    shown = [(name, [value or "–" for value in values]) for name, values in shown if any(values)]
    shown = [item for item in shown if item[0] != "mode" or len(found.modes) > 1]
    rows = list(zip(*(values for _, values in shown), strict=True))
    if found.front:
        rows = [(*row[:-1], row[-1].replace("–", "")) for row in rows]
    for mode, batch in sorted(found.lost.keys() - found.cells.keys()):
        known = {"mode": mode, "batch": f"{batch:,}", "runs": _runs(0, found.lost[mode, batch]), "front": ""}
        rows.append(tuple(known.get(name, "–") for name, _ in shown))
    return Table("Batch sizes", tuple(name for name, _ in shown), rows, _words(found))


def _words(found: BatchSizes) -> str:
    words = "Means over seeds. " if any(len(cell.finals) > 1 for cell in found.cells.values()) else ""
    if any(cell.final.low is not None for cell in found.cells.values()):
        words = "Means over seeds, in brackets 95 % intervals. "
    if found.front:
        words += "Front ●: by means, of those with times and without failures, no other is both better and faster. "
    if found.speed_ups:
        first = next(item for item in found.speed_ups if item.mode == found.base)
        words += (
            f"Speed-up: how many times fewer steps (less time) it takes to a validation {found.unit.metric} of"
            f" {found.level:.4g} than with {first.batch:,}{_of(found.base)}. Where a"
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
    return number(ratio) if ratio is not None else None


def _findings(found: BatchSizes) -> tuple[Finding, ...]:
    made = []
    if found.broken is not None:
        seeds, threshold = found.broken.seeds, found.broken.threshold
        made.append(
            Finding(found.base, "threshold of small batches", found.unit.whole, Estimate(threshold.value), seeds)
        )
        for mode, point in found.broken.modes.items():
            value, *ends = (None if of is None else _number(of) for of in (point.value, point.low, point.high))
            bound = f"breaking point{', ' if point.value.bound else ''}{point.value.bound}"
            made.append(Finding(mode, bound, "samples a batch", Estimate(value, *ends), seeds))
    if found.noise is not None and found.noise.median is not None:
        made.append(Finding("all runs", "noise scale, median", "samples", Estimate(found.noise.median), None))
    for cell in found.cells.values():
        made += _of_cell(cell, found.unit)
    for item in found.speed_ups:
        name = f"{item.mode}, batch size {item.batch}"
        for what in ("steps", "seconds"):
            if getattr(item, what) is not None:
                made.append(
                    Finding(
                        name,
                        f"speed-up in {what}",
                        "ratio",
                        getattr(item, what),
                        len(found.cells[item.mode, item.batch].finals),
                    )
                )
    return tuple(made)


def _number(size: Size) -> float:
    """The batch size; 0 where no size holds."""
    return 0.0 if size.bound == "none" else float(size.batch)


def _of_cell(cell: Cell, unit: Unit) -> list[Finding]:
    name, n = f"{cell.mode}, batch size {cell.batch}", len(cell.finals)
    metric = unit.metric
    known = [
        (f"test {metric}", unit.whole, cell.final),
        (f"train - test {metric}", unit.name, cell.gap),
        ("test - train loss", "", cell.loss_gap),
        ("training", "s", cell.seconds),
        ("updates", "", Estimate(cell.steps)),
        ("throughput", "samples/s", None if cell.throughput is None else Estimate(cell.throughput)),
    ]
    return [Finding(name, quantity, of, estimate, n) for quantity, of, estimate in known if estimate is not None]
