"""Many runs: what is recorded is not run again, and one that fails does not end the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import Any

from batchsel.errors import UserError
from batchsel.experiments.compare.jobs import Job, key_of
from batchsel.experiments.run import records
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.run.runner import RunContext, run


def sweep(
    jobs: Sequence[Job],
    context: RunContext,
    executor: Executor | None = None,
    on_progress: Callable[[str], None] | None = None,
    run_cache: RunCache | None = None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Carries out the jobs that are not recorded yet, in the order given.

    Args:
        jobs: What is wanted.
        context: Folders; records are read from and appended to `context.out`.
        executor: Where to run them, each in a call of its own; None for this process, where runs that differ
            only in their seed share what is compiled.
        on_progress: Called with a line after each run, or None.
        run_cache: Keeps data and trainers of runs in this process; None for a new one.

    Returns:
        The records of all jobs that ended, and of those that failed now; in the order of the jobs.

    Raises:
        KeyboardInterrupt: After Ctrl-C; what is recorded stays.
    """
    done = {key_of(record): record for record in records.read_folder(context.out).runs}
    missing = [job for job in jobs if job.key not in done]
    failed = {}
    for number, (job, record) in enumerate(_outcomes(missing, context, executor, run_cache), 1):
        (failed if "failed" in record else done)[job.key] = record
        if on_progress is not None:
            on_progress(
                f"{number} of {len(missing)}: {job.spec.dataset}, {job.arm.name}, seed {job.spec.seed}: {said(record)}"
            )
    return [done[job.key] for job in jobs if job.key in done], [failed[job.key] for job in jobs if job.key in failed]


def said(record: dict[str, Any]) -> str:
    """How a run ended, in a few words.

    Args:
        record: Its record.
    """
    if "failed" in record:
        return f"FAILED: {record['failed']}"
    if record["reached"]:
        point = record["crossing"]
        # Seconds of runs that share the device say nothing.
        return (
            f"reached after {point['samples']:,} samples"
            if record["contended"]
            else f"reached after {point['seconds']:.3g} s"
        )
    return f"not reached within {record['spec']['budget']}"


def _outcomes(
    jobs: list[Job], context: RunContext, executor: Executor | None, run_cache: RunCache | None
) -> Iterable[tuple[Job, dict[str, Any]]]:
    if executor is None:
        run_cache = run_cache or context.run_cache()
        for job in jobs:
            yield job, attempt(job, context, run_cache)
        return
    apart = dataclasses.replace(context, watch=None, download_progress=None)
    futures = [executor.submit(attempt, job, apart) for job in jobs]
    for job, future in zip(jobs, futures, strict=True):
        try:
            yield job, future.result()
        except Exception as error:  # the worker died: out of memory, killed by the scheduler
            yield job, _failure(job, context, error)


def attempt(job: Job, context: RunContext, run_cache: RunCache | None = None) -> dict[str, Any]:
    """Carries out a job.

    Args:
        job: The job.
        context: Folders.
        run_cache: Keeps data and trainers between runs, or None.

    Returns:
        Its record, or that of its failure.
    """
    try:
        return run(job.spec, dataclasses.replace(context, detail=job.detail), job.arm, run_cache)
    except Exception as error:  # whatever a selector, a model or a loader of the user's raises
        return _failure(job, context, error)


def _failure(job: Job, context: RunContext, error: Exception) -> dict[str, Any]:
    what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    record = {
        "schema": records.SCHEMA,
        "failed": what,
        "spec": job.spec.values(),
        "digest": job.spec.digest(),
        "arm": job.arm.values(),
        "about": context.about,
    }
    records.append(context.out, record)
    return record
