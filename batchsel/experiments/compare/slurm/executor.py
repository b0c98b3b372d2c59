"""Executor of calls as jobs of a SLURM cluster: one array of jobs for all calls that are submitted together."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from batchsel.cards.slurm_settings import minutes, sbatch_options
from batchsel.errors import UserError
from batchsel.experiments.compare.slurm import scheduler
from batchsel.experiments.compare.slurm.call_files import read_result, write_call
from batchsel.experiments.compare.slurm.scheduler import JobState

LARGEST_ARRAY = 1000
"""Jobs of an array: SLURM takes 1,001 unless its administrator allows more."""
GRACE = 30.0
"""Seconds after the end of a job in which its result may still come: file systems of clusters are slow."""
NOTICE = 90
"""Seconds before the time limit of a job at which it is told, so that it writes a checkpoint."""
_POLLS = 2.0, 30.0
"""Shortest and longest pause between two looks at the queue."""
_PAUSE = 0.5
"""Seconds between two looks for the result of a call."""
_SILENCE = 60.0
"""Seconds between two lines about the queue."""


class JobEnded(UserError):
    """End of a job without a result: at its time limit, for its memory, or because someone or something killed it."""


class SlurmExecutor(Executor):
    """Executor whose calls are jobs of SLURM.

    Calls are collected until the result of one is asked for, and submitted as one array then. When the block ends, jobs
    that have not ended are canceled.

    Args:
        folder: Folder that this machine and the nodes share, for calls, results, and what jobs print.
        settings: Settings of the jobs, as `slurm_settings.parse_slurm` returns them.
        jobs: Jobs at a time; None for as many as SLURM runs.
        requeue: Whether jobs are told before their time limit, so that they can be queued again.
        on_progress: Called with a line about the queue.

    Raises:
        UserError: If SLURM is missing or the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        jobs: int | None,
        requeue: bool,
        on_progress: Callable[[str], None],
    ) -> None:
        scheduler.check_slurm()
        self._settings = settings
        self._jobs = jobs
        self._requeue = requeue
        self._on_progress = on_progress
        self._logs = folder.resolve()
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            self._calls = Path(tempfile.mkdtemp(prefix="calls-", dir=self._logs))
        except OSError as error:
            raise UserError(
                f"cannot write to {folder}: {error.strerror or error}. Choose a folder with --out that the cluster"
                " shares."
            ) from error
        self._new: list[_SlurmFuture] = []
        self._open: dict[str, _SlurmFuture] = {}
        self._ended: dict[str, float] = {}
        self._count = 0
        self._states: Mapping[str, JobState] | None = None
        self._started = self._polled = self._told_at = time.monotonic()
        self._told = ""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Collect a call and return its future.

        Args:
            fn: A function that can be pickled, like its arguments and its result.
            *args: Arguments.
            **kwargs: Arguments by name.
        """
        future = _SlurmFuture(self, self._count)
        write_call(self._calls, self._count, (fn, args, kwargs))
        self._count += 1
        self._new.append(future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the executor; what has not ended by then is canceled.

        Args:
            wait: Without meaning here: the results of all calls are waited for where they are asked for.
            cancel_futures: Likewise.
        """
        if self._open:
            scheduler.cancel(sorted({name.split("_")[0] for name in self._open}))
        shutil.rmtree(self._calls, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._logs.rmdir()  # where everything went well, nothing is left in it

    def wait_for(self, future: _SlurmFuture) -> tuple[bool, Any]:
        """Wait for a call, and return whether it returned, and its result or exception.

        Args:
            future: Its future.

        Raises:
            UserError: If SLURM does not take the jobs.
        """
        while self._new:
            self._submit_array(self._new[:LARGEST_ARRAY])
            del self._new[:LARGEST_ARRAY]
        while (found := read_result(self._calls, future.index)) is None:
            self._look()
            # Two looks at the queue: a job that is queued again may seem to have ended in one of them.
            if self._polled - self._ended.get(future.name, math.inf) > GRACE:
                # A last look: it may have come while the queue was asked.
                found = read_result(self._calls, future.index) or (False, JobEnded(self._describe_end(future)))
                break
            time.sleep(_PAUSE)
        self._open.pop(future.name, None)
        if found[0]:
            self._log(future).unlink(missing_ok=True)
        return found

    def _submit_array(self, futures: list[_SlurmFuture]) -> None:
        first = futures[0].index
        module = "batchsel.experiments.compare.slurm.task"
        options = sbatch_options(self._settings)
        # Jobs that were preempted or whose node failed are queued again by SLURM itself.
        options += ["--requeue", *self._notice()] if self._requeue else []
        array = scheduler.submit(
            [sys.executable, "-m", module, str(self._calls), str(first)],
            len(futures), self._jobs, f"{str(self._logs).replace('%', '%%')}/%A_%a.txt", options,
        )  # fmt: skip
        for future in futures:
            future.name = f"{array}_{future.index - first}"
            self._open[future.name] = future
        self._on_progress(
            f"{len(futures)} runs are jobs {futures[0].name} to {futures[-1].name} of SLURM; what they print is in"
            f" {self._logs}"
        )

    def _notice(self) -> list[str]:
        limit = minutes(self._settings.get("time", ""))
        seconds = NOTICE if limit is None else min(NOTICE, limit * 20)
        return [f"--signal=B:USR2@{seconds}"]

    def _look(self) -> None:
        """Look at the queue if the last look was long enough ago."""
        now = time.monotonic()
        if now - self._polled < min(max((now - self._started) / 20, _POLLS[0]), _POLLS[1]):
            return
        self._states, self._polled = scheduler.read_states(), now
        for name in self._open if self._states is not None else ():
            if self._state(name).state in scheduler.ENDED:
                self._ended.setdefault(name, now)
            else:
                self._ended.pop(name, None)
        if now - self._told_at > _SILENCE and (line := self._describe_queue()) != self._told:
            self._on_progress(line)
            self._told_at, self._told = now, line

    def _describe_queue(self) -> str:
        if self._states is None:
            return "SLURM does not answer (squeue failed); waiting for it"
        states = [self._states[name] for name in self._open if name in self._states]
        running = sum(item.state == "RUNNING" for item in states)
        waiting = [item for item in states if item.state == "PENDING"]
        reasons = sorted({item.reason for item in waiting} - {"None", ""})
        why = f" ({', '.join(reasons)})" if reasons else ""
        return f"SLURM: {running} running, {len(waiting)} waiting{why}"

    def _state(self, name: str) -> JobState:
        return (self._states or {}).get(name, scheduler.GONE)

    def _describe_end(self, future: _SlurmFuture) -> str:
        state = self._state(future.name)
        name = f"SLURM ended job {future.name} without a result"
        log = f"What it printed is in {self._log(future)}."
        if state.state == "TIMEOUT":
            more = "give jobs more time, as with --slurm time=4h, or add --requeue, with which runs go on"
            return f"{name}: it reached its time limit of {state.limit}; {more}. {log}"
        if state.state == "OUT_OF_MEMORY":
            return f"{name}: it used more memory than it had; give jobs more, as with --slurm mem=16G. {log}"
        if state == scheduler.GONE:
            return f"{name}: it is no longer in the queue. {log}"
        return f"{name}: {state.state.lower().replace('_', ' ')}. {log}"

    def _log(self, future: _SlurmFuture) -> Path:
        return self._logs / f"{future.name}.txt"


class _SlurmFuture(Future[Any]):
    """Result of a call, which is waited for where it is asked for.

    Args:
        executor: The executor.
        index: Number of the call.
    """

    def __init__(self, executor: SlurmExecutor, index: int) -> None:
        super().__init__()
        self._executor = executor
        self.index = index
        self.name = ""

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result and return it; raise what the call raised.

        Args:
            timeout: Without meaning here.

        Raises:
            UserError: If SLURM does not take the jobs.
        """
        self._wait()
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the call and return what it raised, or None.

        Args:
            timeout: Without meaning here.

        Raises:
            UserError: If SLURM does not take the jobs.
        """
        self._wait()
        return super().exception()

    def _wait(self) -> None:
        if self.done():
            return
        succeeded, value = self._executor.wait_for(self)
        if succeeded:
            self.set_result(value)
        else:
            self.set_exception(value)
