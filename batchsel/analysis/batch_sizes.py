"""A sweep of batch sizes in several modes: how good, how far from the training data, how fast, and where it breaks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis import estimates
from batchsel.analysis.breaking_point import Break, breaking_points
from batchsel.analysis.estimates import Estimate
from batchsel.analysis.final import Unit, asked_of, finals
from batchsel.analysis.noise_scale import NoiseScale, noise_scale
from batchsel.analysis.speed_up import SpeedUp, level_of_small, speed_ups
from batchsel.analysis.study import Part, base_level, level_of

SMALL, POINTS = 32, 1.0
"""Defaults of a card: the largest batch size that counts as small, and how far below its threshold a size may lie."""
PLAIN = "all"
"""Name of the only mode of a study without a factor of modes."""


class Cell(NamedTuple):
    """One batch size in one mode."""

    mode: str
    batch: int
    records: list[Mapping[str, Any]]
    finals: dict[int, float]
    """Final metric by seed, in its unit."""
    final: Estimate
    gap: Estimate | None
    """How much better the metric is on the training data, in its unit."""
    loss_gap: Estimate | None
    """Test loss less training loss."""
    seconds: Estimate | None
    """Of training to the end of the budget; None if runs shared the device."""
    steps: float
    """Updates of the weights, mean."""
    throughput: float | None
    """Samples trained on a second."""
    noise: NoiseScale | None


class BatchSizes(NamedTuple):
    """What a sweep says."""

    unit: Unit
    base: str
    """The mode that the threshold is of."""
    within: float
    """In the unit."""
    cells: dict[tuple[str, int], Cell]
    broken: Break | None
    """Threshold and breaking points; None if nothing can be said."""
    level: float | None
    """The value on the validation part, as recorded, that speed-ups are measured to."""
    speed_ups: list[SpeedUp]
    front: list[tuple[str, int]]
    """Modes and sizes that no other beats in both accuracy and time, the fastest first."""
    noise: NoiseScale | None
    """Over all runs."""

    @property
    def modes(self) -> list[str]:
        """Names of the modes, the base first."""
        return list(dict.fromkeys([self.base, *(mode for mode, _ in self.cells)]))

    @property
    def sizes(self) -> list[int]:
        """All batch sizes, in rising order."""
        return sorted({batch for _, batch in self.cells})


def batch_sizes(part: Part) -> BatchSizes | str:
    """What the records of a sweep say.

    The [analysis] table may state "batch" and "mode" (names of the factors), "base" (the mode that the threshold
    is of), "small" and "points".

    Args:
        part: Records; controls in it are left out.

    Returns:
        The numbers, or why there are none.
    """
    runs = [record for record in part.records if record["arm"]["role"] != "control"]
    unit, factor = asked_of(part.records, part.analysis), part.analysis.get("mode", "mode")
    grouped: dict[tuple[str, int], list[tuple[Mapping[str, Any], float]]] = {}
    for record, value in zip(runs, finals(runs, unit), strict=True):
        batch = _batch(record, part.analysis.get("batch", "batch size"))
        if value is not None and batch is not None:
            grouped.setdefault((level_of(record, factor) or PLAIN, batch), []).append((record, value))
    if not grouped:
        return "no run states a batch size"
    cells = {key: _cell(*key, grouped[key], unit) for key in sorted(grouped)}
    base = base_level(runs, factor, part.analysis.get("base")) or PLAIN
    sign, within = (1 if unit.rising else -1), float(part.analysis.get("points", POINTS))
    results: dict[str, dict[int, dict[int, float]]] = {}
    for (mode, batch), cell in cells.items():
        results.setdefault(mode, {})[batch] = {seed: sign * value for seed, value in cell.finals.items()}
    small = int(part.analysis.get("small", SMALL))
    runs_of = {key: cell.records for key, cell in cells.items()}
    level = level_of_small(runs_of, base, small, within, unit)
    return BatchSizes(
        unit, base, within, cells, _signed(breaking_points(results, base, small, within), sign), level,
        speed_ups(runs_of, base, level, unit), front(cells, unit.rising), noise_scale(runs),
    )  # fmt: skip


def front(cells: Mapping[tuple[str, int], Cell], rising: bool) -> list[tuple[str, int]]:
    """The modes and sizes that are better than all that are as fast.

    Args:
        cells: Cells; those without seconds take no part.
        rising: Whether more is better.
    """
    timed = [cell for cell in cells.values() if cell.seconds is not None]
    sign = 1 if rising else -1
    found, best = [], -math.inf
    for cell in sorted(timed, key=lambda cell: (cell.seconds.value, -sign * cell.final.value)):
        if sign * cell.final.value > best:
            best = sign * cell.final.value
            found.append((cell.mode, cell.batch))
    return found


def _batch(record: Mapping[str, Any], factor: str) -> int | None:
    """The batch size that a run states; an arm without levels, such as a baseline that was added, takes no part."""
    levels = record["arm"].get("levels") or {}
    if not levels:
        return None
    text = str(levels.get(factor, record["spec"]["batch_size"]))
    return int(text) if text.isdigit() else None


def _cell(mode: str, batch: int, runs: Sequence[tuple[Mapping[str, Any], float]], unit: Unit) -> Cell:
    by_seed = {record["spec"]["seed"]: (record, value) for record, value in runs}
    records, values = [record for record, _ in by_seed.values()], {seed: of[1] for seed, of in by_seed.items()}
    timed = not any(record["contended"] for record in records)
    seconds = [record["seconds"]["training"] for record in records]
    samples = [record["counts"]["samples"] for record in records]
    return Cell(
        mode=mode,
        batch=batch,
        records=records,
        finals=values,
        final=estimates.mean(list(values.values())),
        gap=_gap(records, unit.metric, unit.factor * (1 if unit.rising else -1)),
        loss_gap=_gap(records, "loss", -1.0),
        seconds=estimates.mean(seconds) if timed else None,
        steps=sum(record.get("updates", record["counts"]["steps"]) for record in records) / len(records),
        throughput=sum(samples) / sum(seconds) if timed and sum(seconds) > 0 else None,
        noise=noise_scale(records),
    )


def _gap(records: Sequence[Mapping[str, Any]], metric: str, factor: float) -> Estimate | None:
    """Training less test result times a factor; None if a run was not measured on its training data."""
    ends = [record.get("end") or {} for record in records]
    pairs = [((end.get("train") or {}).get(metric), (end.get("test") or {}).get(metric)) for end in ends]
    if any(value is None for pair in pairs for value in pair):
        return None
    return estimates.mean([factor * (train - test) for train, test in pairs])


def _signed(broken: Break | None, sign: int) -> Break | None:
    if broken is None:
        return None
    return broken._replace(threshold=broken.threshold._replace(value=sign * broken.threshold.value))
