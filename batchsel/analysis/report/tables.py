"""Comparisons as plain values: for JSON, and as rows for CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis.comparison import Analysis, Comparison
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.study import Finding, Study
from batchsel.analysis.studies.study_parts import place_of
from batchsel.analysis.target_levels import Level
from batchsel.analysis.verdict import sentence, warnings

Levels = Mapping[str, Sequence[Level]]
NONE: Levels = {}


def as_values(analysis: Analysis, levels: Levels = NONE, studies: Sequence[Study] = ()) -> dict[str, Any]:
    """Everything that was estimated, JSON: no number in it is infinite or NaN.

    Args:
        analysis: All comparisons.
        levels: The arms of each data set at its several targets.
        studies: The answers of studies.
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
        "studies": [_study(study) for study in studies],
    }


def as_csv(analysis: Analysis, levels: Levels = NONE, studies: Sequence[Study] = ()) -> str:
    """One line a comparison; those at the other targets of a data set follow, with the name of their level.

    Where there are studies, there are more columns, and a line for each of their findings comes first.

    Args:
        analysis: All comparisons.
        levels: The arms of each data set at its several targets.
        studies: The answers of studies.
    """
    rows = [{**_row(item), "level": ""} for item in analysis.comparisons]
    rows += [
        {**_row(item), "level": level.name} for of in levels.values() for level in of for item in level.comparisons
    ]
    rows = [_finding(study, item) for study in studies for item in study.findings] + rows
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["dataset"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _study(study: Study) -> dict[str, Any]:
    values = {field.name: getattr(study, field.name) for field in dataclasses.fields(study)}
    del values["tables"]  # findings hold the same numbers
    return _plain(values | {"findings": [item._asdict() for item in study.findings]})


def _finding(study: Study, item: Finding) -> dict[str, Any]:
    where = {"study": study.kind, "dataset": study.dataset, "where": place_of("", study.where).removeprefix(", ")}
    estimate = item.estimate._asdict()
    return where | {"item": item.item, "quantity": item.quantity, "unit": item.unit} | estimate | {
        "seeds": item.n, "p": item.p, "p_holm": item.p_holm,
    }  # fmt: skip


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
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
