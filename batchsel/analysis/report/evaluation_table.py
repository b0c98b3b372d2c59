"""Records as tables for pandas and spreadsheets: a line for each evaluation, or for each run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchsel.analysis.report.tables import rows_as_csv
from batchsel.core.target import Target
from batchsel.errors import UsageError, UserError, show
from batchsel.experiments.run.run_record import RunRecord

if TYPE_CHECKING:
    import pandas as pd

_FORMS = ("evaluation", "run")
_COUNTS = ("steps", "samples", "scored", "plans", "seconds")


def records(*paths: str | Path, per: str = "evaluation") -> pd.DataFrame:
    """Read records of runs as a table.

    Of a run that was recorded several times the record counts that reports take, and a warning says so; another names
    lines that are no records, which are left out.

    Args:
        *paths: Files of records, or folders that hold them, as `batchsel report` takes them.
        per: "evaluation": a line for each evaluation, with dataset, arm, seed, epoch (passes over the data), samples,
            seconds on the clock, training and validation metrics and their gap. "run": a line for each run, with its
            settings, counts, time to the target and final metrics.

    Raises:
        UsageError: If `per` is neither.
        UserError: If a file cannot be read, holds no run, or pandas is not installed.

    Example:
        >>> import json, tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records(folder)
        Traceback (most recent call last):
        batchsel.errors.UserError: cannot read the records ...
    """
    from batchsel.experiments.run.records import read_typed
    from batchsel.experiments.run.validation.duplicates import choose

    if per not in _FORMS:
        raise UsageError(f"per must be 'evaluation' or 'run', got {show(per)}.")
    try:
        import pandas as pd
    except ImportError as error:
        raise UserError(
            "batchsel.records returns a table of pandas, which is not installed: pip install pandas"
        ) from error
    found = read_typed(*map(Path, paths))
    if not found.runs:
        raise UserError(f"no record of a run in {', '.join(map(str, paths))}.")
    runs, _, notes = choose(found.runs)
    for note in (*map(str, found.problems), *notes):
        warnings.warn(note, stacklevel=2)
    rows = evaluation_rows(runs) if per == "evaluation" else map(_run_row, runs)
    return pd.DataFrame(list(rows))


def as_csv(runs: Sequence[RunRecord]) -> str:
    """Return a line for each evaluation of each run, as CSV.

    Args:
        runs: Records of runs.
    """
    return rows_as_csv(list(evaluation_rows(runs)))


def evaluation_rows(runs: Sequence[RunRecord]) -> Iterator[dict[str, Any]]:
    """Yield a row for each evaluation of each run.

    Args:
        runs: Records of runs.
    """
    for run in runs:
        about = {"dataset": run.spec.dataset, "arm": run.arm.name, "seed": run.spec.seed, "digest": run.digest[:8]}
        for place, point in enumerate(run.evaluations):
            row = {**about, "evaluation": place + 1, "epoch": point.samples / run.sizes.train}
            row |= {"steps": point.steps, "samples": point.samples, "scored": point.scored, "seconds": point.seconds}
            validation = {name: value for name, value in point.values.items() if name not in _COUNTS}
            training = {
                name: values[place]
                for name, values in run.history.items()
                if place < len(values) and not name.startswith("val_")
            }
            row |= {f"validation_{name}": value for name, value in validation.items()}
            row |= {f"training_{name}" if name in validation else name: value for name, value in training.items()}
            row |= {
                f"gap_{name}": validation[name] - value
                for name, value in training.items()
                if value is not None and validation.get(name) is not None
            }
            yield row


def _run_row(run: RunRecord) -> dict[str, Any]:
    crossing = run.crossing
    row = {"arm": run.arm.name, "role": run.arm.role, "digest": run.digest[:8], **run.spec.values}
    row |= {"reached": run.reached, "timed": not run.contended, "training_seconds": run.seconds.training}
    row |= {"seconds_to_target": crossing.seconds if crossing and run.reached else None}
    row |= {"samples_to_target": crossing.samples if crossing and run.reached else None}
    row |= {"samples_trained": run.counts.samples, "samples_scored": run.counts.scored, "kept": run.kept}
    metrics = dict.fromkeys([Target.parse(run.spec.target).metric, "loss"])
    row |= {f"validation_{name}": run.evaluations[-1].values.get(name) for name in metrics if run.evaluations}
    row |= {f"test_{name}": value for name, value in run.test.items()}
    for part, values in (("test", run.end and run.end.test), ("training", run.end and run.end.train)):
        row |= {f"end_{part}_{name}": value for name, value in (values or {}).items()}
    return row
