"""Comparisons as plain values: for JSON, and as rows for CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from typing import Any

from batchsel.analysis.comparison import Analysis, Comparison
from batchsel.analysis.estimates import Estimate
from batchsel.analysis.verdict import sentence, warnings


def as_values(analysis: Analysis) -> dict[str, Any]:
    """Everything that was estimated, JSON: no number in it is infinite or NaN.

    Args:
        analysis: All comparisons.
    """
    return {
        "arms": [_plain(dataclasses.asdict(item)) for item in analysis.summaries],
        "comparisons": [_comparison(item) for item in analysis.comparisons],
    }


def as_csv(analysis: Analysis) -> str:
    """One line a comparison.

    Args:
        analysis: All comparisons.
    """
    rows = [_row(item) for item in analysis.comparisons]
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
