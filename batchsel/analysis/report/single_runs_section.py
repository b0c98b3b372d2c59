"""Sections of the report for single runs: a table of them, and figures without any comparison."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from batchsel.analysis.final_metrics import final_results
from batchsel.analysis.plots.figures import render_figures
from batchsel.analysis.plots.style import Palette
from batchsel.analysis.plots.time_breakdown import time_breakdown
from batchsel.analysis.report.final_table import FinalRow
from batchsel.analysis.single_runs import SingleRun, distinct_names, shared_settings
from batchsel.experiments.run.run_record import RunRecord

_FIGURES = (
    "curves", "history", "time", "visits", "kept", "learning_rate", "course", "images", "plane", "noise_scale", "snr",
)  # fmt: skip
_EACH = 10
"""Largest number of runs that are drawn one by one; more are drawn as means of runs that differ in their seed."""


def single_run_sections(runs: Sequence[SingleRun], finals: Sequence[FinalRow] = ()) -> list[dict[str, Any]]:
    """Return a section for each data set and target.

    Args:
        runs: Single runs, in the order of `list_single_runs`.
        finals: Final metrics of their arms.
    """
    return [
        _section(dataset, target, list(own), finals)
        for (dataset, target), own in itertools.groupby(runs, lambda run: (run.record.spec.dataset, run.target))
    ]


def summary_of_single_runs(runs: Sequence[SingleRun]) -> str:
    """Return a sentence on how many runs reached their target.

    Args:
        runs: Single runs, at least one.
    """
    reached, each = sum(run.outcome.reached for run in runs), "its" if len(runs) == 1 else "their"
    if len(runs) == 1:
        return f"1 single run, which {'reached' if reached else 'did not reach'} {each} target"
    count = "all" if reached == len(runs) else "none" if not reached else str(reached)
    return f"{len(runs)} single runs, of which {count} reached {each} target"


def _section(dataset: str, target: str, runs: Sequence[SingleRun], finals: Sequence[FinalRow]) -> dict[str, Any]:
    records = [run.record for run in runs]
    arms: dict[str, list[RunRecord]] = {}
    names = distinct_names(runs) if len(runs) <= _EACH else [run.name for run in runs]
    for name, record in zip(names, records, strict=True):
        arms.setdefault(name, []).append(record)
    metrics = list(dict.fromkeys(metric for record in records for metric in record.test))
    return {
        "name": dataset,
        "target": target,
        "metrics": metrics,
        "finals": [row for row in finals if row.dataset == dataset and row.arm in {run.name for run in runs}]
        if len(runs) > len({run.name for run in runs})
        else [],
        "has_end": any(run.outcome.reached and final_results(run.record) for run in runs),
        "rows": [_row(run, metrics) for run in runs],
        "figures": render_figures(arms, Palette(arms), _FIGURES),
        "spec": shared_settings(records),
        "sizes": _alike([record.sizes for record in records]),
        "parameters": _alike([record.parameters for record in records]),
    }


def _row(run: SingleRun, metrics: Sequence[str]) -> dict[str, Any]:
    record, end = run.record, final_results(run.record) or {}
    parts = time_breakdown(record)
    selecting = sum(parts[name] for name in ("planning", "scoring", "choosing", "updating"))
    return {
        "name": run.name,
        "record": record,
        "outcome": run.outcome,
        "budget": record.spec.values.get("budget", ""),
        "test": [record.test.get(metric) for metric in metrics],
        "end": [end.get(metric) for metric in metrics],
        "selecting": selecting,
        "off_clock": parts["tracing"] + parts["evaluation"] + parts["callbacks"],
    }


def _alike(values: Sequence[Any]) -> Any:
    """Return the value that all have, or None."""
    return values[0] if all(value == values[0] for value in values) else None
