"""Options that `compare`, `experiment` and `tune` share: where runs take place, and printing their results."""

from __future__ import annotations

import contextlib
import functools
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from batchsel.cards.slurm_settings import parse_slurm
from batchsel.cli.support.run_settings import tracker_options
from batchsel.core.tf_support.tf_import import import_tensorflow
from batchsel.errors import UsageError, UserError

if TYPE_CHECKING:
    from batchsel.experiments.compare.run_experiment import Result
    from batchsel.experiments.run.runner import RunContext

_OPTIONS = (
    click.option("--executor", help="here, processes, slurm, dask or dask:ADDRESS. [default: here]"),
    click.option("--jobs", type=click.IntRange(1), help="Runs at a time, each in a fresh process."),
    click.option(
        "--data-dir", type=click.Path(file_okay=False), help="Folder of the data, with one folder per data set."
    ),
    click.option("--offline", is_flag=True, help="Never download."),
    click.option(
        "--untimed", is_flag=True, help="Other work runs on this machine: compare samples, and leave out seconds."
    ),
    click.option(
        "--requeue",
        is_flag=True,
        help="With --executor slurm: jobs that are preempted or time out go on from their checkpoint.",
    ),
    click.option(
        "--slurm",
        multiple=True,
        metavar="SETTING=VALUE,...",
        help="With --executor slurm: settings of the jobs, as in time=2h,partition=gpu,gpus=1 or exclusive.",
    ),
)


class Execution(NamedTuple):
    """Execution of the runs of an experiment: executor, context and worker processes.

    Args:
        executor: As in `executors.executor`; None for this process, or for processes if `jobs` is given.
        jobs: Runs at a time.
        data_dir: Folder of the data.
        offline: Whether downloads are forbidden.
        untimed: Whether other work runs on the machine, so that seconds do not count.
        requeue: As in `executors.executor`.
        trackers: Places of the logs of trackers, by name.
        slurm: Settings of jobs of SLURM, as texts.
    """

    executor: str | None
    jobs: int | None
    data_dir: str | None
    offline: bool
    untimed: bool
    requeue: bool
    trackers: dict[str, str]
    slurm: tuple[str, ...]


def execution_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `Execution`, which the command receives as one argument, and --json.

    Args:
        function: The command.
    """

    @tracker_options
    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        execution = Execution(**{name: options.pop(name) for name in Execution._fields})
        return function(*arguments, execution=execution, **options)

    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextlib.contextmanager
def open_execution(
    execution: Execution, folder: Path, question: str, slurm: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[RunContext, Any]]:
    """Open the context of the runs and their executor, None for this process.

    Args:
        execution: Where and how the runs take place.
        folder: Folder of the records.
        question: Question that the runs are to answer.
        slurm: Settings of jobs of SLURM that options override, as a card states them.
    """
    from batchsel.experiments.compare import executors
    from batchsel.experiments.run.records import check_folder

    check_folder(folder, "report.html")
    command = shlex.join(["batchsel", *sys.argv[1:]])
    form, jobs = execution.executor or ("here" if execution.jobs is None else "processes"), execution.jobs
    if form == "here" and (jobs or 1) > 1:
        raise UsageError("in this process runs take place one after another; leave out --jobs or --executor here.")
    if execution.slurm and form != "slurm":
        raise UsageError("--slurm states settings of jobs. Add --executor slurm, or leave it out.")
    slurm = {**slurm, **parse_slurm(execution.slurm)}
    shared = executors.shares_devices(form, jobs, slurm)
    if form == "slurm" and shared and not execution.untimed:
        print_progress("jobs may share nodes, so seconds are left out; with --slurm exclusive they count")
    with executors.executor(form, jobs, folder, execution.requeue, slurm, print_progress) as pool:
        import_tensorflow()
        from batchsel.data.storage.progress import download_progress
        from batchsel.experiments.run.runner import RunContext
        from batchsel.training.runtime.devices import describe_device

        if pool is None:
            print_progress(describe_device())
        context = RunContext(
            folder,
            execution.data_dir,
            execution.offline,
            checkpoints=False,
            about={"question": question, "command": command},
            alone=not (execution.untimed or shared),
            download_progress=download_progress,
            trackers=execution.trackers,
        )
        try:
            yield context, pool
        except KeyboardInterrupt:
            click.echo(f"\ninterrupted; finished runs stay recorded. Go on with: {command}", err=True)
            raise


def print_progress(line: str) -> None:
    """Print a line of progress on standard error."""
    click.echo(line, err=True)


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """Parse ``3/64``: the part with index 3 of 64 parts.

    Args:
        text: The option.

    Raises:
        UsageError: If it is malformed.

    Example:
        >>> parse_shard("3/64")
        (3, 64)
    """
    if text is None:
        return None
    part, slash, parts = text.partition("/")
    if not slash or not part.isdigit() or not parts.isdigit() or not 0 <= int(part) < max(int(parts), 1):
        raise UsageError(f"--shard is PART/PARTS with parts counted from 0, as in 3/64, got {text!r}.")
    return int(part), int(parts)


def report_result(
    result: Result, folder: Path, as_json: bool, quick: bool = False, analysis: Mapping[str, Any] | None = None
) -> None:
    """Print a comparison, and write the report beside its records.

    Args:
        result: The records and failures.
        folder: Folder of the records.
        as_json: Whether to print JSON.
        quick: Whether it was only a first look.
        analysis: The [analysis] table of the card as it is now, which may be newer than the records; None for that of
            the records.

    Raises:
        UserError: If no run has ended.
    """
    from batchsel.analysis.report.html_report import render_report
    from batchsel.analysis.report.results import compute_results
    from batchsel.analysis.report.tables import as_values
    from batchsel.analysis.studies.all_studies import exclude_studied
    from batchsel.analysis.studies.study_parts import with_analysis
    from batchsel.cli.support.comparison_text import lines
    from batchsel.cli.support.output import print_json
    from batchsel.core.filesystem.atomic_write import atomic_write
    from batchsel.experiments.run.parse_record import parse_failures, parse_runs
    from batchsel.experiments.run.records import FILE

    for failure in result.failures:
        arm, spec = failure["arm"]["name"], failure["spec"]
        click.echo(f"FAILED: {spec['dataset']}, {arm}, seed {spec['seed']}: {failure['failed']}", err=True)
    if not result.records:
        raise UserError("no run has ended; see the failures above.")
    records, failures = parse_runs(result.records), parse_failures(result.failures)
    if analysis is not None:
        records = with_analysis(records, analysis)
    results = compute_results(records, failures)
    notes = _notes(result, folder / FILE)
    with atomic_write(folder / "report.html") as beside:
        beside.write_text(render_report(records, notes, failures, results), "utf-8")
    files = {"records": str(folder / FILE), "report": str(folder / "report.html")}
    if as_json:
        print_json(as_values(*results) | files | {"quick": quick})
    else:
        click.echo("\n".join(lines(results.analysis, results.levels, results.studies, quick, results.finals)))
        click.echo(f"\nrecords: {files['records']}   report: {files['report']}")
    lost = [
        f"{item.arm} on {item.dataset}"
        for item in exclude_studied(results.analysis, results.studies).summaries
        if item.failed == item.n
    ]
    if lost:
        raise UserError(f"all runs of {', '.join(lost)} failed; see the failures above.")


def _notes(result: Result, path: Path) -> list[str]:
    """Print, and return, which lines are no records, and which runs were recorded several times."""
    from batchsel.cli.support.output import print_notes
    from batchsel.experiments.run.arms import record_key
    from batchsel.experiments.run.records import read_typed
    from batchsel.experiments.run.validation.duplicates import choose

    if not path.is_file():
        return []
    mine = {record_key(record) for record in result.records}
    found = read_typed(path)
    runs = [record for record in found.runs if (record.arm.name, record.digest) in mine]
    return print_notes(found.problems, choose(runs).notes)
