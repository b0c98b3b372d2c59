"""Attempts at runs that may be made again, after another attempt that recorded the run or left a checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchsel.errors import UserError
from batchsel.experiments.run import records
from batchsel.experiments.run.arms import Job
from batchsel.experiments.run.run_folder import CHECKPOINT

if TYPE_CHECKING:  # the runner imports TensorFlow
    from batchsel.experiments.run.runner import RunContext

FOLDER = "unfinished"
"""Folder of the checkpoints of runs under way, beside the records."""

Attempt = Callable[[Job, "RunContext"], dict[str, Any]]


class AttemptOnce:
    """An attempt at a run in another process, made again only if an earlier one left no record.

    Processes of clusters die after they have recorded a run and before its result has arrived; then the cluster starts
    the run once more.

    Args:
        attempt: Function that runs it and returns its record.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def __call__(self, job: Job, context: RunContext) -> dict[str, Any]:
        """Run, unless the run is recorded, and return the record.

        Args:
            job: The run.
            context: Folders.
        """
        return records.find(context.out, *job.key) or self._attempt(job, context)


class RequeueingExecutor:
    """Executor whose calls go on from their checkpoint when their job is started again.

    Args:
        executor: The executor of the jobs.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, attempt: Attempt, job: Job, context: RunContext) -> Future[Any]:
        """Submit an attempt at a run.

        Args:
            attempt: Function that runs it and returns its record.
            job: The run.
            context: Folders.
        """
        return self._executor.submit(RequeuedAttempt(attempt), job, context)


class RequeuedAttempt:
    """An attempt at a run that writes checkpoints, and goes on from that of the attempt before.

    Args:
        attempt: As for `RequeueingExecutor.submit`.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def __call__(self, job: Job, context: RunContext) -> dict[str, Any]:
        """Run from the checkpoint on, if there is one, and return the record.

        Args:
            job: The run.
            context: Folders.
        """
        folder = run_folder(job, context.out)
        resume = (folder / CHECKPOINT).is_file()
        record = self._attempt(job, dataclasses.replace(context, checkpoints=True, folder=folder, resume=resume))
        shutil.rmtree(folder, ignore_errors=True)
        return record

    def progress(self, job: Job, context: RunContext) -> int:
        """Return the nanoseconds of training up to the checkpoint, 0 without one.

        Args:
            job: The run.
            context: Folders.
        """
        from batchsel.training.checkpoint_meta import read_run

        try:
            return read_run(run_folder(job, context.out) / CHECKPOINT).meta["nanoseconds"]["training"]
        except UserError:
            return 0


def run_folder(job: Job, out: Path) -> Path:
    """Return the folder of a run's checkpoint; arms with the same settings have one each.

    Args:
        job: The run.
        out: Folder of the records.
    """
    return out / FOLDER / f"{job.spec.identity()}-{hashlib.sha256(job.arm.name.encode()).hexdigest()[:8]}"
