"""Commands of SLURM: submit an array of jobs, look at the states of jobs, cancel and requeue them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from batchsel.errors import UserError, shorten

ENDED = frozenset(
    (
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "GONE", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
        "TIMEOUT",
    )
)  # fmt: skip
"""States of jobs that have ended; one that is to be queued again leaves them at once."""
_KEPT = ("SLURM_CONF", "SLURM_CLUSTERS")
_FORMAT = "%i|%T|%r|%l"
_SECONDS = 60


class JobState(NamedTuple):
    """State of a job, as squeue shows it."""

    state: str
    reason: str
    limit: str


GONE = JobState("GONE", "", "")
"""Our state of a job that squeue no longer shows."""


def check_slurm() -> None:
    """Check that this machine can submit jobs.

    Raises:
        UserError: If it cannot.
    """
    if shutil.which("sbatch") is None:
        raise UserError(
            "no SLURM here (sbatch not found). Start this on a machine that submits jobs to the cluster, or leave out"
            " --executor slurm."
        )


def submit(command: Sequence[str], count: int, parallel: int | None, log: str, options: Sequence[str]) -> str:
    """Submit an array of jobs that each run the same command, and return the number of the array.

    Args:
        command: The command; SLURM_ARRAY_TASK_ID tells the jobs apart.
        count: Number of jobs.
        parallel: Jobs at a time; None for as many as SLURM runs.
        log: Path for what each job prints, in which %A and %a are the array and the job.
        options: More options of sbatch.

    Raises:
        UserError: If SLURM refuses, with its reason.
    """
    at_a_time = "" if parallel is None else f"%{parallel}"
    answer = _call(
        [
            "sbatch", "--parsable", "--job-name=batchsel", f"--array=0-{count - 1}{at_a_time}", f"--output={log}",
            "--open-mode=append", *options,
        ],
        f"#!/bin/sh\nexec {shlex.join(command)}\n",
    )  # fmt: skip
    if answer.returncode != 0:
        reason = " ".join(answer.stderr.removeprefix("sbatch: error:").replace("\nsbatch: error:", ";").split())
        raise UserError(
            f"SLURM did not take the jobs: {shorten(reason, 300)}. The settings of jobs are those of --slurm and of the"
            " card."
        )
    return answer.stdout.strip().split(";")[0]


def read_states() -> dict[str, JobState] | None:
    """Return the states of this user's jobs by number, as in 12_3; None if SLURM does not answer.

    Jobs that ended some minutes ago are not among them.
    """
    user = str(os.getuid()) if hasattr(os, "getuid") else ""
    answer = _call(["squeue", "--noheader", "--array", "--states=all", f"--user={user}", f"--format={_FORMAT}"])
    if answer.returncode != 0:
        return None
    rows = (line.split("|") for line in answer.stdout.splitlines())
    return {row[0].strip(): JobState(*map(str.strip, row[1:])) for row in rows if len(row) == 4}


def cancel(arrays: Sequence[str]) -> None:
    """Cancel arrays of jobs.

    Args:
        arrays: Their numbers.
    """
    _call(["scancel", *arrays])


def requeue(job: str) -> str:
    """Queue the job again in which this process runs, which ends it, and return what went wrong, if anything did.

    Args:
        job: Its number, as in 12_3.
    """
    answer = _call(["scontrol", "requeue", job])
    return "" if answer.returncode == 0 else " ".join(answer.stderr.split())


def _call(command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    # Options of a job in which this process itself runs are not meant for the new ones.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name in _KEPT}
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, errors="replace", env=environment, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
