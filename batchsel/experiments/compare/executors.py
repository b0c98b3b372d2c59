"""Executors of runs: this process, fresh processes, a SLURM cluster, a Dask cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchsel.errors import UsageError, UserError
from batchsel.experiments.compare.fresh_processes import FreshProcesses
from batchsel.experiments.compare.requeue import RequeueingExecutor

FORMS = "here, processes, slurm, dask or dask:ADDRESS"


@contextlib.contextmanager
def executor(form: str, jobs: int, folder: Path, requeue: bool = False) -> Iterator[Any]:
    """Open an executor: an object whose ``submit(function, *arguments)`` returns futures, or None for this process.

    Args:
        form: "here": one after another in this process, so that seeds share what is compiled. "processes":
            a fresh process per run, `jobs` at a time. "slurm": a job per run, through submitit. "dask": a cluster
            of processes on this machine, or the one at an address.
        jobs: Runs at a time.
        folder: Folder for the logs of a cluster.
        requeue: Whether jobs of SLURM that are preempted or time out go on from their checkpoint.

    Raises:
        UserError: If the form is unknown, or its package is not installed.
    """
    kind, _, address = form.partition(":")
    if kind not in ("here", "processes", "slurm", "dask") or (address and kind != "dask"):
        raise UsageError(f"unknown executor {form!r}. Expected {FORMS}.")
    if requeue and kind != "slurm":
        raise UsageError("--requeue is for jobs of a cluster. Add --executor slurm, or leave it out.")
    if kind == "here":
        yield None
    elif kind == "processes":
        with FreshProcesses(jobs) as pool:
            yield pool
    elif kind == "slurm":
        slurm = _slurm(jobs, folder)
        yield RequeueingExecutor(slurm) if requeue else slurm
    else:
        with _dask(address, jobs) as pool:
            yield pool


def shares_devices(form: str, jobs: int) -> bool:
    """Return whether several runs may be under way on one device, so that none of them can be timed.

    Args:
        form: As for `executor`.
        jobs: Runs at a time.
    """
    return jobs > 1 and form.partition(":")[0] in ("processes", "dask")


def _slurm(jobs: int, folder: Path) -> Any:
    try:
        import submitit
    except ImportError:
        raise UserError("submitit is not installed: pip install 'batchsel[slurm]'.") from None
    slurm = submitit.AutoExecutor(folder / "slurm")
    slurm.update_parameters(name="batchsel", slurm_array_parallelism=jobs)
    return slurm


@contextlib.contextmanager
def _dask(address: str, jobs: int) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise UserError("Dask's distributed is not installed: pip install 'batchsel[dask]'.") from None
    if address:
        with Client(address) as client:
            yield client.get_executor(pure=False)
        return
    with (
        LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,  # pyright: ignore[reportArgumentType]  None means no dashboard
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor(pure=False)
