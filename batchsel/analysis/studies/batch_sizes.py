"""A sweep of batch sizes in several modes: how good, how far from the training data, how fast, and where it breaks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchsel.analysis.final_metrics import Unit, asked_of, finals, lacking
from batchsel.analysis.stats import estimates
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.breaking_point import BreakingPoint, breaking_points
from batchsel.analysis.studies.noise_scale import NoiseScale, noise_scale
from batchsel.analysis.studies.speed_up import Key, SpeedUp, level_of_small, speed_ups
from batchsel.analysis.studies.study_parts import Part, base_level, level_of, mixed

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
    cells: dict[Key, Cell]
    lost: dict[Key, int]
    """How many runs failed, of the cells in which any did; a cell may have no others."""
    broken: BreakingPoint | None
    """Threshold and breaking points; None if nothing can be said."""
    missing: str
    """Why there are none; empty if there are."""
    level: float | None
    """The value on the validation part, as recorded, that speed-ups are measured to."""
    speed_ups: list[SpeedUp]
    front: list[Key]
    """Modes and sizes whose means no other beats in both accuracy and time, the fastest first; of those with times and
    without failures."""
    noise: NoiseScale | None
    """Over all runs."""

    @property
    def modes(self) -> list[str]:
        """Names of the modes, the base first."""
        return list(dict.fromkeys([self.base, *(mode for mode, _ in (*self.cells, *self.lost))]))

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
    runs = [record for record in part.records if _key(record, part.analysis)]
    unit, base, small = asked_of(part.records, part.analysis), _base(part), int(part.analysis.get("small", SMALL))
    cells = _cells(runs, part, unit)
    if isinstance(cells, str):
        return cells
    # A run without a value, such as an infinite loss, went astray like one that failed.
    keys = [_key(failure, part.analysis) for failure in part.failures]
    keys += [_key(run, part.analysis) for run, value in zip(runs, finals(runs, unit), strict=True) if value is None]
    lost = {key: keys.count(key) for key in keys if key is not None}
    within = float(part.analysis.get("points", POINTS))
    broken = _broken(cells, lost, base, small, within, 1 if unit.rising else -1)
    runs_of = {key: cell.records for key, cell in cells.items()}
    sound = {key: cell for key, cell in cells.items() if key not in lost}
    level = level_of_small({key: runs_of[key] for key in sound}, base, small, within, unit)
    return BatchSizes(
        unit, base, within, cells, lost, *((None, broken) if isinstance(broken, str) else (broken, "")), level,
        speed_ups(runs_of, base, level, unit, lost), front(sound, unit.rising), noise_scale(runs),
    )  # fmt: skip


def _base(part: Part) -> str:
    runs = [run for run in (*part.records, *part.failures) if run["arm"]["role"] != "control"]
    return base_level(runs, part.analysis.get("mode", "mode"), part.analysis.get("base")) or PLAIN


def _cells(runs: Sequence[Mapping[str, Any]], part: Part, unit: Unit) -> dict[Key, Cell] | str:
    """The cells, or why there are none."""
    if not runs:
        return "no run states a batch size"
    why = lacking(runs)
    if why:
        return why
    grouped: dict[Key, list[tuple[Mapping[str, Any], float]]] = {}
    for record, value in zip(runs, finals(runs, unit), strict=True):
        if value is not None:
            grouped.setdefault(_key(record, part.analysis) or (PLAIN, 0), []).append((record, value))
    words = {
        f"{'' if mode == PLAIN else f'{mode}, '}batch size {batch}": [run for run, _ in of]
        for (mode, batch), of in grouped.items()
    }
    if not grouped:
        return f"no run has a final {unit.metric}"
    return mixed(words) or {key: _cell(*key, grouped[key], unit) for key in sorted(grouped)}


def _broken(
    cells: Mapping[Key, Cell], lost: Mapping[Key, int], base: str, small: int, within: float, sign: int
) -> BreakingPoint | str:
    results: dict[str, dict[int, dict[int, float]]] = {}
    for (mode, batch), cell in cells.items():
        results.setdefault(mode, {})[batch] = {seed: sign * value for seed, value in cell.finals.items()}
    sizes: dict[str, set[int]] = {}
    for mode, batch in lost:
        sizes.setdefault(mode, set()).add(batch)
    found = breaking_points(results, base, small, within, sizes)
    if isinstance(found, str):
        return found
    return found._replace(threshold=found.threshold._replace(value=sign * found.threshold.value))


def front(cells: Mapping[Key, Cell], rising: bool) -> list[Key]:
    """The modes and sizes whose mean is better than that of all that are as fast by their means.

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


def _key(record: Mapping[str, Any], analysis: Mapping[str, Any]) -> Key | None:
    """Mode and batch size of a run; controls and arms without levels, such as an added baseline, take no part.

    A level in words stands for the batch size that the run was made with.
    """
    levels = record["arm"].get("levels") or {}
    if not levels or record["arm"]["role"] == "control":
        return None
    text = str(levels.get(analysis.get("batch", "batch size")))
    batch = int(text) if text.isdigit() else int(record["spec"]["batch_size"])
    return level_of(record, analysis.get("mode", "mode")) or PLAIN, batch


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
        final=estimates.over_seeds(list(values.values())),
        gap=_gap(records, unit.metric, unit.factor * (1 if unit.rising else -1)),
        loss_gap=_gap(records, "loss", -1.0),
        seconds=estimates.over_seeds(seconds) if timed else None,
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
    return estimates.over_seeds([factor * (train - test) for train, test in pairs])
