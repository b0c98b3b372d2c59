"""`batchsel report` and `batchsel plot`: turn records into an HTML page or single figures."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from batchsel.cli.support.output import (
    FIGURE,
    OutputFile,
    check_distinct_outputs,
    print_beside,
    print_notes,
    save_figure,
)
from batchsel.errors import UsageError, UserError, shorten, unknown_name

if TYPE_CHECKING:
    from batchsel.experiments.run.run_record import FailureRecord, RunRecord

_HELP = {"help_option_names": ["-h", "--help"]}


class Found(NamedTuple):
    """Records to report on."""

    runs: list[RunRecord]
    """Records of runs that ended, one for each run."""
    failures: list[FailureRecord]
    """Records of runs that failed and were not made again."""
    notes: list[str]
    """Lines that were left out, and runs that were recorded several times."""


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no garbage: little is any before the command ends, and to look takes longer than to read records."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@click.command(
    context_settings=_HELP,
    epilog="\b\nExamples:\n"
    "  batchsel report runs/compare-digits-1a2b3c4d --out report.html\n"
    "  batchsel report node1/records.jsonl node2/records.jsonl --csv results.csv",
)
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("--out", type=OutputFile(), help="Path of the page. [default: report.html beside the first records]")
@click.option("--csv", type=OutputFile(), help="Also write the comparisons as CSV; - prints them.")
@click.option("--json", "json_file", type=OutputFile(), help="Also write all estimates as JSON; - prints them.")
@click.option("--history", type=OutputFile(), help="Also write a line for each evaluation as CSV; - prints them.")
@click.option(
    "--target", "targets", multiple=True, help="Also compare at this target, as in 'accuracy>=0.9'. Repeatable."
)
@click.option("--open", "show", is_flag=True, help="Show the page in the browser.")
@_without_collection()
def report(
    runs: tuple[str, ...],
    out: Path | None,
    csv: Path | None,
    json_file: Path | None,
    history: Path | None,
    targets: tuple[str, ...],
    show: bool,
) -> None:
    """Write one self-contained HTML report from records of runs.

    RUNS are files of records (JSON lines) or folders that contain one. Needs neither network nor TensorFlow.
    """
    import json

    from batchsel.analysis.report import evaluation_table
    from batchsel.analysis.report.html_report import render_report
    from batchsel.analysis.report.results import compute_results
    from batchsel.analysis.report.tables import as_csv, as_values

    first = Path(runs[0])
    target = out or (first if first.is_dir() else first.parent) / "report.html"
    _check_outputs(runs, target, {"--csv": csv, "--json": json_file, "--history": history})
    found = _read_records(runs, allow_failures_only=True)
    records, failed = _add_targets(targets, found.runs), found.failures
    results = compute_results(records, failed)
    _write(target, render_report(records, found.notes, failed, results))
    if csv:
        _write(csv, as_csv(*results))
    if history:
        _write(history, evaluation_table.as_csv(records))
    if json_file:
        _write(json_file, json.dumps(as_values(*results), indent=1) + "\n")
    print_beside(f"report: {target}", target, csv, json_file, history)
    if show and click.launch(str(target.resolve())):
        raise UserError(f"no browser could be started. The page is {target}.")


@click.command(
    context_settings=_HELP,
    epilog="\b\nExamples:\n"
    "  batchsel plot runs/compare-digits-1a2b3c4d --figure curves --out curves.png\n"
    "  batchsel plot runs --arm loss_ema --arm random --figure survival --out survival.svg",
)
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "--figure",
    "name",
    default="curves",
    show_default=True,
    help="Figure: curves, survival, strip, effects, pareto, ...",
)
@click.option("--dataset", help="Data set, if the records have several.")
@click.option("--arm", "arms", multiple=True, help="Arm. Repeatable, the baseline first. [default: all]")
@click.option("--out", type=FIGURE, help="PNG or SVG. [default: FIGURE.png]")
@_without_collection()
def plot(runs: tuple[str, ...], name: str, dataset: str | None, arms: tuple[str, ...], out: Path | None) -> None:
    """Plot a single figure of the report as PNG or SVG."""
    from batchsel.analysis.comparison import analyze
    from batchsel.analysis.groups import split_groups
    from batchsel.analysis.outcomes import arm_order
    from batchsel.analysis.plots.figures import FIGURES, draw, group_by_arm, possible_figures
    from batchsel.analysis.plots.style import Palette
    from batchsel.analysis.single_runs import SINGLE, split_runs

    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    target = out or Path(f"{name}.png")
    _check_outputs(runs, target, {})
    found = _read_records(runs)
    compared, singles = split_runs(_select_dataset(found.runs, dataset))
    compared, failed = split_groups(compared, found.failures)
    _check_one_group([record.spec.dataset for record in compared])
    records = compared + singles
    known = [item.arm for item in analyze(compared).summaries]
    known += sorted({record.arm.name for record in singles}, key=lambda name: arm_order(SINGLE, name))
    for arm in arms:
        if arm not in known:
            raise unknown_name("arm", arm, known)
    wanted = group_by_arm([record for record in records if record.arm.name in (arms or known)], arms or known)
    failures = [failure for failure in failed if failure.arm.name in arms or not arms]
    palette = Palette(wanted)
    made = draw(name, wanted, palette, failures)
    if made is None:
        allowed = ", ".join(possible_figures(wanted, palette, failures)) or "none"
        raise UserError(f"these records contain nothing to plot as {name!r}. The figures that they allow: {allowed}.")
    save_figure(made, target)
    print_beside(f"figure: {target}", target)


def _check_outputs(runs: tuple[str, ...], target: Path, others: Mapping[str, Path | None]) -> None:
    from batchsel.core.filesystem.atomic_write import check_output
    from batchsel.experiments.run.records import record_files

    read = [file for path in map(Path, runs) for file in record_files(path)]
    check_distinct_outputs({"--out": target, **others}, read)
    check_output(target)  # the others have no default, so that their options have checked them


def _read_records(runs: tuple[str, ...], allow_failures_only: bool = False) -> Found:
    from batchsel.experiments.run import records
    from batchsel.experiments.run.validation.duplicates import choose

    found = records.read_typed(*map(Path, runs))
    gc.freeze()
    if not found.runs and not (found.failures and allow_failures_only):
        print_notes(found.problems, ())
        if found.failures:
            raise UserError(
                f"no run of {', '.join(runs)} has ended: all {len(found.failures)} failed, the first with"
                f" {shorten(found.failures[0].failed)}."
            )
        raise UserError(
            f"no record of a run in {', '.join(runs)}. Expected files of records, or folders with a records.jsonl."
        )
    runs_of_arms, failures, notes = choose(found.runs, found.failures)
    return Found(runs_of_arms, failures, print_notes(found.problems, notes))


def _add_targets(targets: tuple[str, ...], records: list[RunRecord]) -> list[RunRecord]:
    """Return records with targets added to those of the data sets, so that the runs are also compared at them."""
    import dataclasses

    from batchsel.core.target import Target

    added = {}
    for text in targets:
        target = Target.parse(text)
        for record in records:
            target.check(record.test)
        added[str(target)] = str(target)
    if not added:
        return records
    return [dataclasses.replace(record, targets={**record.targets, **added}) for record in records]


def _select_dataset(records: list[RunRecord], dataset: str | None) -> list[RunRecord]:
    known = list(dict.fromkeys(record.spec.dataset for record in records))
    if dataset is None and len(known) > 1:
        raise UsageError(f"these records are of {', '.join(known)}. Choose one with --dataset.")
    if dataset is not None and dataset not in known:
        raise unknown_name("data set", dataset, known)
    return [record for record in records if dataset is None or record.spec.dataset == dataset]


def _check_one_group(names: list[str]) -> None:
    groups = list(dict.fromkeys(names))
    if len(groups) > 1:
        raise UserError(
            f"these records are of several comparisons: {'; '.join(groups)}. Give the records of one of them."
        )


def _write(path: Path, text: str) -> None:
    from batchsel.core.filesystem.atomic_write import atomic_write

    with atomic_write(path) as beside:
        beside.write_text(text, "utf-8")
