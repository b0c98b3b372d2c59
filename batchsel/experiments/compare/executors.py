"""Executors of runs: this process, fresh processes, a SLURM cluster, a Dask cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from batchsel.cards.slurm_settings import EXCLUSIVE
from batchsel.core.locking import gpus
from batchsel.errors import UsageError, UserError, shorten
from batchsel.experiments.compare.fresh_processes import FreshProcesses
from batchsel.experiments.compare.requeue import RequeueingExecutor
from batchsel.experiments.compare.slurm.executor import SlurmExecutor
from batchsel.experiments.run.device_lock import print_line

FORMS = "here, processes, slurm, dask or dask:ADDRESS"
_PATIENCE = 10
"""Seconds in which a scheduler of Dask has to answer."""


@contextlib.contextmanager
def executor(
    form: str,
    jobs: int | None,
    folder: Path,
    requeue: bool = False,
    slurm: Mapping[str, str] = MappingProxyType({}),
    on_progress: Callable[[str], None] = print_line,
) -> Iterator[Any]:
    """Open an executor: an object whose ``submit(function, *arguments)`` returns futures, or None for this process.

    Args:
        form: "here": one after another in this process, so that seeds share what is compiled. "processes":
            a fresh process per run, `jobs` at a time, each on a GPU of its own as far as there are as many. "slurm": a
            job per run. "dask": a cluster of processes on this machine, or the one at an address.
        jobs: Runs at a time; None for one on each GPU, or one on a machine without, or as many as SLURM runs.
        folder: Folder of the records, which a cluster shares.
        requeue: Whether jobs of SLURM that are preempted or time out go on from their checkpoint.
        slurm: Settings of jobs of SLURM, as `slurm_settings.parse_slurm` returns them.
        on_progress: Called with a line about jobs of SLURM.

    Raises:
        UserError: If the form is unknown, its package is not installed, or its cluster cannot be reached.
    """
    kind, _, address = form.partition(":")
    if kind not in ("here", "processes", "slurm", "dask") or (address and kind != "dask"):
        raise UsageError(f"unknown executor {form!r}. Expected {FORMS}.")
    if requeue and kind != "slurm":
        raise UsageError("--requeue is for jobs of a cluster. Add --executor slurm, or leave it out.")
    found = gpus.visible()
    places = jobs or len(found) or 1
    environments = [gpus.environment(found[place % len(found)]) for place in range(places)] if found else []
    if kind == "here":
        yield None
    elif kind == "processes":
        with FreshProcesses(places, environments) as pool:
            yield pool
    elif kind == "slurm":
        with SlurmExecutor(folder / "slurm", slurm, jobs, requeue, on_progress) as pool:
            yield RequeueingExecutor(pool) if requeue else pool
    else:
        with _dask(address, places, environments) as pool:
            yield pool


def shares_devices(form: str, jobs: int | None, slurm: Mapping[str, str] = MappingProxyType({})) -> bool:
    """Return whether several runs may be under way on one device, so that none of them can be timed.

    Args:
        form: As for `executor`.
        jobs: As for `executor`.
        slurm: As for `executor`; jobs of SLURM share nodes unless each has one to itself.
    """
    kind, _, address = form.partition(":")
    if kind == "slurm":
        return EXCLUSIVE not in slurm
    own = 1 if address else max(len(gpus.visible()), 1)
    return (jobs or 1) > own and kind in ("processes", "dask")


@contextlib.contextmanager
def _dask(address: str, jobs: int, environments: Sequence[Mapping[str, str]]) -> Iterator[Any]:
    try:
        from distributed import Client, Nanny, Scheduler, SpecCluster
        from distributed.system import MEMORY_LIMIT
    except ImportError:
        raise UserError("Dask's distributed is not installed: pip install 'batchsel[dask]'.") from None
    if address:
        with _connect(Client, address) as client:
            yield client.get_executor(pure=False)
        return
    # As LocalCluster makes it, but for environments of their own, which workers keep when they are started again.
    common = {"host": "127.0.0.1", "nthreads": 1, "memory_limit": MEMORY_LIMIT // jobs}
    cluster = SpecCluster(
        {
            place: {"cls": Nanny, "options": {**common, "env": environment}}
            for place, environment in enumerate(environments or [{}] * jobs)
        },
        {"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "dashboard": False}},
    )
    with cluster, Client(cluster) as client:
        yield client.get_executor(pure=False)


def _connect(client: Any, address: str) -> Any:
    try:
        return client(address, timeout=_PATIENCE)
    except (OSError, ValueError, TypeError) as error:  # TimeoutError too
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"no Dask scheduler answers at {address}: {shorten(reason, 200)}. Start one with `dask scheduler` and"
            " workers with `dask worker`, or use --executor dask for processes of this machine."
        ) from error
