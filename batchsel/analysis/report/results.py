"""Everything that is estimated from records, computed once for the page, the terminal, JSON and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from batchsel.analysis.comparison import Analysis, analyze
from batchsel.analysis.groups import split_groups
from batchsel.analysis.report.final_table import FinalRow, final_table
from batchsel.analysis.single_runs import SingleRun, list_single_runs, split_runs
from batchsel.analysis.studies.all_studies import add_control_notes, answer_studies
from batchsel.analysis.studies.study import Study
from batchsel.analysis.target_levels import TargetLevel, target_levels
from batchsel.experiments.run.run_record import FailureRecord, RunRecord


class Results(NamedTuple):
    """Everything that is estimated from records."""

    analysis: Analysis
    """Comparisons at the targets that the runs were made for."""
    levels: dict[str, list[TargetLevel]]
    """Comparisons at all targets of each data set, as `target_levels` returns them."""
    studies: list[Study]
    """Answers of studies of factors, where the records belong to any."""
    singles: list[SingleRun]
    """Runs outside of any comparison."""
    finals: Sequence[FinalRow] = ()
    """Final metrics of each arm, and of runs outside of any comparison."""


def compute_results(records: Sequence[RunRecord], failures: Sequence[FailureRecord] = ()) -> Results:
    """Compare the arms at all targets, and answer studies.

    Args:
        records: Records of any number of data sets and arms.
        failures: Records of runs that failed: without them, arms and batch sizes whose runs fail would look too good.
    """
    compared, singles = split_runs(records)
    compared, failures = split_groups(compared, failures)
    analysis = analyze(compared, failures=failures)
    studies = add_control_notes(answer_studies(compared, failures), analysis)
    finals = final_table([*compared, *singles])
    return Results(analysis, target_levels(compared, failures), studies, list_single_runs(singles), finals)
