"""Results as plain values: for JSON, and as rows for CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from batchsel.analysis.comparison import Analysis, Comparison
from batchsel.analysis.final_metrics import final_results
from batchsel.analysis.report.final_table import FinalRow
from batchsel.analysis.single_runs import SingleRun
from batchsel.analysis.stats import power
from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.study import Study, StudyEstimate
from batchsel.analysis.studies.study_parts import place_name
from batchsel.analysis.target_levels import TargetLevel
from batchsel.analysis.verdict import sentence, warnings

Levels = Mapping[str, Sequence[TargetLevel]]
NO_LEVELS: Levels = {}


def as_values(
    analysis: Analysis,
    levels: Levels = NO_LEVELS,
    studies: Sequence[Study] = (),
    singles: Sequence[SingleRun] = (),
    finals: Sequence[FinalRow] = (),
) -> dict[str, Any]:
    """Return all results as JSON values, without infinite numbers and NaN.

    Args:
        analysis: All comparisons.
        levels: Comparisons at all targets of each data set.
        studies: Answers of studies.
        singles: Runs outside of any comparison.
        finals: Final metrics of each arm.
    """
    return {
        "arms": [_to_json(dataclasses.asdict(item)) for item in analysis.summaries],
        "comparisons": [_comparison_values(item) for item in analysis.comparisons],
        "levels": [
            {"level": level.name} | _comparison_values(item)
            for of_dataset in levels.values()
            for level in of_dataset
            for item in level.comparisons
        ],
        "studies": [_study_values(study) for study in studies],
        "finals": [_to_json(item._asdict()) for item in finals],
        **({"runs": [_to_json(_run_values(run)) for run in singles]} if singles else {}),
    }


def as_csv(
    analysis: Analysis,
    levels: Levels = NO_LEVELS,
    studies: Sequence[Study] = (),
    singles: Sequence[SingleRun] = (),
    finals: Sequence[FinalRow] = (),
) -> str:
    """Return one line for each comparison, followed by those at other targets with the name of their level.

    Studies add columns, and a line for each of their estimates, which come first; single runs add columns, and a line
    each. Final metrics come last, a line for each arm with the level "end".

    Args:
        analysis: All comparisons.
        levels: Comparisons at all targets of each data set.
        studies: Answers of studies.
        singles: Runs outside of any comparison.
        finals: Final metrics of each arm.
    """
    rows = [{**_comparison_row(item), "level": ""} for item in analysis.comparisons]
    rows += [
        {**_comparison_row(item), "level": level.name}
        for of_dataset in levels.values()
        for level in of_dataset
        for item in level.comparisons
    ]
    rows = [_estimate_row(study, item) for study in studies for item in study.findings] + rows
    rows += [_run_row(run) for run in singles]
    rows += [_final_row(item) for item in finals]
    return rows_as_csv(rows)


def rows_as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Return rows as CSV, with every column that one of them has.

    Args:
        rows: Values by the name of the column.

    Example:
        >>> rows_as_csv([{"arm": "a"}, {"arm": "b", "p": 0.5}])
        'arm,p\na,\nb,0.5\n'
    """
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["dataset"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _run_values(run: SingleRun) -> dict[str, Any]:
    record, result = run.record, run.outcome
    return {
        "dataset": result.dataset,
        "run": run.name,
        "seed": result.seed,
        "target": run.target,
        "reached": result.reached,
        "seconds": result.seconds if result.timed else None,
        "samples": result.samples,
        "passes": result.passes,
        "steps": result.steps,
        "test": dict(record.test),
        "test_at_end": dict(final_results(record) or {}),
        "clock": dataclasses.asdict(record.seconds),
        "started": record.started,
        "digest": record.digest,
        "settings": record.spec.values,
    }


def _run_row(run: SingleRun) -> dict[str, Any]:
    values = _run_values(run)
    row = {name: value for name, value in values.items() if not isinstance(value, dict)}
    row |= {f"test_{metric}": value for metric, value in values["test"].items()}
    return row | {f"end_{metric}": value for metric, value in values["test_at_end"].items()}


def _final_row(item: FinalRow) -> dict[str, Any]:
    row: dict[str, Any] = {"dataset": item.dataset, "arm": item.arm, "level": "end", "runs": item.runs}
    for name, estimate in item.values.items():
        key = name.replace(" ", "_")
        row |= {key: estimate.value, f"{key}_low": estimate.low, f"{key}_high": estimate.high}
    return row


def _study_values(study: Study) -> dict[str, Any]:
    values = {field.name: getattr(study, field.name) for field in dataclasses.fields(study)}
    del values["tables"]  # findings hold the same numbers
    return _to_json(values | {"findings": [item._asdict() for item in study.findings]})


def _estimate_row(study: Study, item: StudyEstimate) -> dict[str, Any]:
    where = {"study": study.kind, "dataset": study.dataset, "where": place_name("", study.where).removeprefix(", ")}
    estimate = item.estimate._asdict()
    return where | {"item": item.item, "quantity": item.quantity, "unit": item.unit} | estimate | {
        "seeds": item.n, "p": item.p, "p_holm": item.p_holm,
    }  # fmt: skip


def _comparison_values(item: Comparison) -> dict[str, Any]:
    values = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    values |= {"arm": item.arm.arm, "role": item.arm.role, "baseline": item.baseline.arm}
    if not item.stalled:
        del values["stalled"]
    values |= {"seeds_needed": _seeds_needed(item)}
    return _to_json(values) | {"verdict": item.verdict, "sentence": sentence(item), "warnings": warnings(item)}


def _comparison_row(item: Comparison) -> dict[str, Any]:
    row = {"dataset": item.dataset, "arm": item.arm.arm, "role": item.arm.role, "baseline": item.baseline.arm}
    row |= {"target": item.target, "pairs": item.pairs, "arm_reached": item.reached[0]}
    row |= {"baseline_reached": item.reached[1]}
    row |= {"arm_failed": item.failed[0], "baseline_failed": item.failed[1]}
    for name in ("time", "samples", "cost"):
        ratio = getattr(item, name) or Estimate(math.nan)
        row |= {f"{name}_ratio": ratio.value, f"{name}_low": ratio.low, f"{name}_high": ratio.high}
    row |= {"bound": item.bound, "confidence": item.confidence, "p": item.p, "p_holm": item.p_holm}
    needed = {f"seeds_for_{ratio}": seeds for ratio, seeds in _seeds_needed(item).items()}
    return {**row, "verdict": item.verdict, "spread": item.spread} | needed


def _seeds_needed(item: Comparison) -> dict[str, int | None]:
    """Return the number of seeds that find ratios of 0.8 and 0.9, for the spread that was seen."""
    alpha = (1 - item.confidence) / item.family
    return {str(ratio): power.seeds_needed(ratio, item.spread, alpha) if item.spread else None for ratio in (0.8, 0.9)}


def _to_json(value: Any) -> Any:
    if isinstance(value, Estimate):
        return _to_json(value._asdict())
    if isinstance(value, Mapping):
        return {key: _to_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
