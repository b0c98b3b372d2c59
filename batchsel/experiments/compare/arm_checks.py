"""Check the selectors of users in all arms before the first run, rather than when their turn comes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from batchsel.errors import UserError
from batchsel.experiments.compare.fresh_processes import FreshProcesses
from batchsel.experiments.run import records
from batchsel.experiments.run.arms import Job, record_key
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.run.runner import RunContext, check_run


def check_arms(jobs: Sequence[Job], context: RunContext, executor: Executor | None, run_cache: RunCache) -> None:
    """Check the arms whose selector is in a file and that are not recorded yet, each on each data set.

    On a cluster, where a check would have to wait like a run, nothing is checked.

    Args:
        jobs: The runs.
        context: Folders.
        executor: As for `sweep`.
        run_cache: Cache of data and trainers of runs in this process.

    Raises:
        UserError: Naming the arm, and what is wrong with its selector.
    """
    own = [job for job in jobs if ".py" in job.spec.selector]
    if not own or not (executor is None or isinstance(executor, FreshProcesses)):
        return
    done = {record_key(record) for record in records.read_folder(context.out).runs}
    first = {
        (job.spec.dataset, job.spec.selector, job.spec.batch_size): job for job in reversed(own) if job.key not in done
    }
    for job in reversed(first.values()):
        try:
            if executor is None:
                check_run(job.spec, context, run_cache)
            else:
                executor.submit(check_run, job.spec, RunContext(Path(), context.data_folder, context.offline)).result()
        except UserError as error:
            raise UserError(f"{job.arm.name} on {job.spec.dataset}: {error}") from None
