"""Runs on a SLURM cluster that go on from their checkpoint when their job is preempted or times out."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batchsel.experiments.run.arms import Job
from batchsel.experiments.run.run_folder import CHECKPOINT
from batchsel.experiments.run.runner import RunContext

FOLDER = "unfinished"
"""Folder of the checkpoints of runs under way, beside the records."""
_TIMED_OUT = "UncompletedJobError"
"""Error of submitit for a job that has timed out too many times; its checkpoint is kept."""

Attempt = Callable[[Job, RunContext], dict[str, Any]]


class RequeueingExecutor:
    """Executor whose jobs write checkpoints, and are queued again by submitit if the cluster ends them.

    Args:
        executor: An executor of submitit.
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor

    def submit(self, attempt: Attempt, job: Job, context: RunContext) -> Any:
        """Submit an attempt at a run.

        Args:
            attempt: Function that runs it and returns its record.
            job: The run.
            context: Folders.
        """
        return self._executor.submit(RequeuedAttempt(attempt), job, context)


class RequeuedAttempt:
    """An attempt at a run that goes on from the checkpoint of the attempt before.

    submitit calls `checkpoint` when the cluster announces the end of the job, once the run has written its own.

    Args:
        attempt: As for `RequeueingExecutor.submit`.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def __call__(self, job: Job, context: RunContext) -> dict[str, Any]:
        """Run, and return the record.

        Args:
            job: The run.
            context: Folders.
        """
        folder = run_folder(job, context.out)
        resume = (folder / CHECKPOINT).is_file()
        record = self._attempt(job, dataclasses.replace(context, checkpoints=True, folder=folder, resume=resume))
        if not record.get("failed", "").startswith(_TIMED_OUT):
            shutil.rmtree(folder, ignore_errors=True)
        return record

    def checkpoint(self, job: Job, context: RunContext) -> Any:
        """Return what submitit is to queue: the same attempt.

        Args:
            job: The run.
            context: Folders.
        """
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, job, context)


def run_folder(job: Job, out: Path) -> Path:
    """Return the folder of a run's checkpoint; arms with the same settings have one each.

    Args:
        job: The run.
        out: Folder of the records.
    """
    return out / FOLDER / f"{job.spec.identity()}-{hashlib.sha256(job.arm.name.encode()).hexdigest()[:8]}"
