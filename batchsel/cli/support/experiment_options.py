"""What `compare`, `experiment` and `tune` share: where runs take place, and what is printed of them."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from batchsel.errors import UsageError, UserError
from batchsel.training.runtime.tf_import import import_tensorflow

_OPTIONS = (
    click.option("--executor", default=None, help="here, processes, slurm, dask or dask:ADDRESS. [default: here]"),
    click.option("--jobs", type=click.IntRange(1), default=None, help="Runs at a time, each in a fresh process."),
    click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the data, one folder for each set."),
    click.option("--offline", is_flag=True, help="Never download."),
    click.option(
        "--untimed", is_flag=True, help="Other work runs on this machine: samples are compared, seconds left out."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of `Place`.

    Args:
        function: The command.
    """
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@contextlib.contextmanager
def execution(
    folder: Path,
    executor: str | None,
    jobs: int | None,
    data_dir: str | None,
    offline: bool,
    untimed: bool,
    question: str,
) -> Iterator[tuple[Any, Any]]:
    """Where runs take place: the surroundings and an executor, or None for this process.

    Args:
        folder: Folder of the records.
        executor: As in `executors.executor`; None for this process, or for processes if `jobs` is given.
        jobs: How many runs at a time.
        data_dir: Folder of the data.
        offline: Whether downloads are forbidden.
        untimed: Whether other work runs on the machine, so that seconds do not count.
        question: What the runs are to answer.
    """
    from batchsel.experiments.compare import executors

    form = executor or ("here" if jobs is None else "processes")
    if form == "here" and jobs not in (None, 1):
        raise UsageError("in this process runs take place one after another; leave out --jobs or --executor here.")
    with executors.executor(form, jobs or 1, folder) as pool:
        import_tensorflow()
        from batchsel.data.download.progress import download_progress
        from batchsel.experiments.run.runner import RunContext

        about = {"question": question, "command": shlex.join(["batchsel", *sys.argv[1:]])}
        yield (
            RunContext(
                folder,
                data_dir,
                offline,
                checkpoints=False,
                about=about,
                alone=not (untimed or executors.shares_devices(form, jobs or 1)),
                download_progress=download_progress,
            ),
            pool,
        )


def on_progress(line: str) -> None:
    """Prints a line of progress.

    Args:
        line: The line.
    """
    click.echo(line, err=True)


def shard(text: str | None) -> tuple[int, int] | None:
    """Reads ``3/64``: the third of 64 parts.

    Args:
        text: The option.

    Raises:
        UsageError: If it is not of that form.

    Example:
        >>> shard("3/64")
        (3, 64)
    """
    if text is None:
        return None
    part, slash, parts = text.partition("/")
    if not slash or not part.isdigit() or not parts.isdigit() or not 0 <= int(part) < max(int(parts), 1):
        raise UsageError(f"--shard is PART/PARTS with parts counted from 0, as in 3/64, got {text!r}.")
    return int(part), int(parts)


def show(
    result: Any, folder: Path, as_json: bool, quick: bool = False, analysis: Mapping[str, Any] | None = None
) -> None:
    """Prints a comparison, and writes the report beside its records.

    Args:
        result: What `run_experiment` returned.
        folder: Folder of the records.
        as_json: Whether to print JSON.
        quick: Whether it was only a first look.
        analysis: The [analysis] table of the card as it is now, which records may have been made before; None for that
            of the records.

    Raises:
        UserError: If no run has ended.
    """
    from batchsel.analysis.report.html_report import render_report
    from batchsel.analysis.report.results import compute_results
    from batchsel.analysis.report.tables import as_values
    from batchsel.analysis.studies.study_parts import with_analysis
    from batchsel.cli.support.comparison_text import lines
    from batchsel.cli.support.output import print_json
    from batchsel.core.files import atomic_write
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
    with atomic_write(folder / "report.html") as beside:
        beside.write_text(render_report(records, (), failures, results), "utf-8")
    files = {"records": str(folder / FILE), "report": str(folder / "report.html")}
    if as_json:
        print_json(as_values(*results) | files | {"quick": quick})
        return
    click.echo("\n".join(lines(*results, quick=quick)))
    click.echo(f"\nrecords: {files['records']}   report: {files['report']}")
