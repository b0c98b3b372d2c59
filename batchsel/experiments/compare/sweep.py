"""Run many jobs: skip those that are recorded, and continue when one fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from pathlib import Path
from typing import Any

from batchsel.errors import UserError
from batchsel.experiments.compare.fresh_processes import FreshProcesses
from batchsel.experiments.compare.requeue import AttemptOnce
from batchsel.experiments.run import records
from batchsel.experiments.run.arms import Job, record_key
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.run.runner import RunContext, run
from batchsel.experiments.run.validation.duplicates import choose_by_key


def sweep(
    jobs: Sequence[Job],
    context: RunContext,
    executor: Executor | None = None,
    on_progress: Callable[[str], None] | None = None,
    run_cache: RunCache | None = None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run the jobs that are not recorded yet, in the order given.

    Args:
        jobs: The jobs.
        context: Folders; records are read from and appended to `context.out`.
        executor: Executor of the runs, one call each; None for this process, where runs that differ only in their
            seed share what is compiled.
        on_progress: Called with a line after each run, or None.
        run_cache: Cache of data and trainers of runs in this process; None for a new one.

    Returns:
        The records of all jobs that ended, and of those that failed now; in the order of the jobs.

    Raises:
        KeyboardInterrupt: After Ctrl-C; finished runs stay recorded.
    """
    done = choose_by_key(records.read_folder(context.out).runs, record_key)
    missing = [job for job in jobs if job.key not in done]
    failed: dict[tuple[str, str], dict[str, Any]] = {}
    for number, (job, record) in enumerate(_run_all(missing, context, executor, run_cache), 1):
        (failed if "failed" in record else done)[job.key] = record
        if on_progress is not None:
            run_name = f"{job.spec.dataset}, {job.arm.name}, seed {job.spec.seed}"
            on_progress(f"{number} of {len(missing)}: {run_name}: {describe_outcome(record)}")
    return [done[job.key] for job in jobs if job.key in done], [failed[job.key] for job in jobs if job.key in failed]


def describe_outcome(record: dict[str, Any]) -> str:
    """Return a short text on how a run ended.

    Args:
        record: Its record.
    """
    if "failed" in record:
        return f"FAILED: {record['failed']}"
    if not record["reached"]:
        return f"not reached within {record['spec']['budget']}"
    point = record["crossing"]
    if record["contended"]:  # seconds of runs that share the device mean nothing
        return f"reached after {point['samples']:,} samples"
    return f"reached after {point['seconds']:.3g} s"


def _run_all(
    jobs: list[Job], context: RunContext, executor: Executor | None, run_cache: RunCache | None
) -> Iterator[tuple[Job, dict[str, Any]]]:
    if executor is None:
        run_cache = run_cache or context.run_cache()
        for job in jobs:
            yield job, attempt(job, context, run_cache)
        return
    # Workers of a cluster may run in other folders.
    data_folder = None if context.data_folder is None else str(Path(context.data_folder).resolve())
    remote = dataclasses.replace(
        context, out=context.out.resolve(), data_folder=data_folder, watch=None, download_progress=None
    )
    futures = [_submit(executor, job, remote) for job in jobs]
    for job, future in zip(jobs, futures, strict=True):
        try:
            error = future.exception()
        except CancelledError as canceled:  # by a cluster that is gone
            error = canceled
        if error is None:
            yield job, future.result()
        elif isinstance(error, Exception):  # the worker died: out of memory, killed by the scheduler
            yield job, _record_failure(job, context, error)
        else:
            raise error


def _submit(executor: Executor, job: Job, context: RunContext) -> Future[Any]:
    """Submit a run; all arms of a data set and a seed, which are compared, to the same device."""
    if isinstance(executor, FreshProcesses):
        return executor.submit_in_group((job.spec.dataset, job.spec.seed), AttemptOnce(attempt), job, context)
    return executor.submit(AttemptOnce(attempt), job, context)


def attempt(job: Job, context: RunContext, run_cache: RunCache | None = None) -> dict[str, Any]:
    """Run a job and return its record, or that of its failure.

    Args:
        job: The job.
        context: Folders.
        run_cache: Cache of data and trainers between runs, or None.
    """
    try:
        return run(job.spec, dataclasses.replace(context, detail=job.detail), job.arm, run_cache)
    except Exception as error:  # whatever a user's selector, model or loader raises
        return _record_failure(job, context, error)


def _record_failure(job: Job, context: RunContext, error: Exception) -> dict[str, Any]:
    record = {
        "schema": records.SCHEMA,
        "failed": str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}",
        "spec": job.spec.values(),
        "digest": job.spec.digest(),
        "arm": job.arm.values(),
        "about": context.about,
    }
    records.append(context.out, record)
    return record
