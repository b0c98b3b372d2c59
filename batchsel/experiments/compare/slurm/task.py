"""Job of a SLURM cluster: ``python -m batchsel.experiments.compare.slurm.task CALLS FIRST`` makes one call."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from batchsel.errors import UserError
from batchsel.experiments.compare.slurm import scheduler
from batchsel.experiments.compare.slurm.call_files import read_call, write_result


class TimeLimit(KeyboardInterrupt):
    """The time limit of the job is near."""


class Stopped(KeyboardInterrupt):
    """SLURM ends the job: someone canceled it, or it makes room for another one."""


def main(calls: str, first: str) -> int:
    """Make the call of this job, write its result, and return the exit code.

    When the time limit is near, the job is queued again, if its call got any further: a later attempt then goes on from
    its checkpoint. Without progress it would be queued forever.

    Args:
        calls: Folder of the calls.
        first: Number of the call of job 0 of the array.
    """
    # Before the call is read, which imports all that it needs: the signals may come at any time.
    _raise_on(signal.SIGUSR2, TimeLimit)
    _raise_on(signal.SIGTERM, Stopped)
    folder, index = Path(calls), int(first) + int(os.environ["SLURM_ARRAY_TASK_ID"])
    before, args, kwargs, progress = None, (), {}, _no_progress
    try:
        function, args, kwargs = read_call(folder, index)
        progress = getattr(function, "progress", _no_progress)
        before = progress(*args, **kwargs)
        succeeded, value = True, function(*args, **kwargs)
    except TimeLimit:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # with which SLURM ends a job that is queued again
        if before == progress(*args, **kwargs):
            problem = "nothing was trained within its time limit: give jobs more, as with --slurm time=4h."
        elif not (refused := scheduler.requeue(_own_number())):
            return 0
        else:
            problem = f"SLURM does not queue it again at its time limit ({refused}); call the same command again."
        succeeded, value = False, UserError(problem)
    except Stopped:
        return 128 + signal.SIGTERM
    except Exception as error:
        succeeded, value = False, error
    write_result(folder, index, succeeded, value)
    return 0


def _own_number() -> str:
    """Return the number of this job; that of the last job of an array, SLURM_JOB_ID, stands for the whole array."""
    return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"


def _no_progress(*args: Any, **kwargs: Any) -> None:
    """Return None: calls without checkpoints begin anew each time."""


def _raise_on(number: int, kind: type[BaseException]) -> None:
    def end(received: int, frame: Any) -> None:
        raise kind(signal.Signals(received).name)

    signal.signal(number, end)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
