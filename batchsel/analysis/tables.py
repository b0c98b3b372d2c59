"""Comparisons as plain values: for JSON, and as rows for CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis.comparison import Analysis, Comparison
from batchsel.analysis.estimates import Estimate
from batchsel.analysis.levels import Level
from batchsel.analysis.verdict import sentence, warnings

Levels = Mapping[str, Sequence[Level]]
NONE: Levels = {}


def as_values(analysis: Analysis, levels: Levels = NONE) -> dict[str, Any]:
    """Everything that was estimated, JSON: no number in it is infinite or NaN.

    Args:
        analysis: All comparisons.
        levels: The arms of each data set at its several targets.
    """
    return {
        "arms": [_plain(dataclasses.asdict(item)) for item in analysis.summaries],
        "comparisons": [_comparison(item) for item in analysis.comparisons],
        "levels": [
            {"level": level.name} | _comparison(item)
            for of in levels.values()
            for level in of
            for item in level.comparisons
        ],
    }


def as_csv(analysis: Analysis, levels: Levels = NONE) -> str:
    """One line a comparison; those at the other targets of a data set follow, with the name of their level.

    Args:
        analysis: All comparisons.
        levels: The arms of each data set at its several targets.
    """
    rows = [{**_row(item), "level": ""} for item in analysis.comparisons]
    rows += [
        {**_row(item), "level": level.name} for of in levels.values() for level in of for item in level.comparisons
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["dataset"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _comparison(item: Comparison) -> dict[str, Any]:
    values = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    values |= {"arm": item.arm.arm, "role": item.arm.role, "baseline": item.baseline.arm}
    return _plain(values) | {"verdict": item.verdict, "sentence": sentence(item), "warnings": warnings(item)}


def _row(item: Comparison) -> dict[str, Any]:
    row = {"dataset": item.dataset, "arm": item.arm.arm, "role": item.arm.role, "baseline": item.baseline.arm}
    row |= {"target": item.target, "pairs": item.pairs, "arm_reached": item.reached[0]}
    row |= {"baseline_reached": item.reached[1]}
    for name in ("time", "samples", "cost"):
        ratio = getattr(item, name) or Estimate(math.nan)
        row |= {f"{name}_ratio": ratio.value, f"{name}_low": ratio.low, f"{name}_high": ratio.high}
    return {**row, "bound": item.bound, "p": item.p, "p_holm": item.p_holm, "verdict": item.verdict}


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
