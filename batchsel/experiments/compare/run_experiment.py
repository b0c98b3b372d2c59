"""Run an experiment: its arms, then the controls that depend on their results."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple

from batchsel.experiments.compare.arm_checks import check_arms
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.sweep import sweep
from batchsel.experiments.run import records as record_files
from batchsel.experiments.run.arms import Job, record_key
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.run.validation.duplicates import choose_by_key
from batchsel.experiments.spec.resolve import check_names


class Result(NamedTuple):
    """Records of an experiment."""

    records: list[dict[str, Any]]
    failures: list[dict[str, Any]]


def run_experiment(
    experiment: Experiment,
    context: RunContext,
    executor: Executor | None = None,
    on_progress: Callable[[str], None] | None = None,
    shard: tuple[int, int] | None = None,
) -> Result:
    """Run everything that is not recorded yet.

    Args:
        experiment: The experiment.
        context: Folders; records lie in `context.out`.
        executor: As in `sweep`.
        on_progress: As in `sweep`.
        shard: Index and number of the shards of the blocks of a data set and seed; None for all blocks. Controls
            follow when the arms are recorded on all seeds: join the records and call it once more.

    Raises:
        UserError: If a setting is wrong or a name unknown, before anything is run.
    """
    jobs = experiment.jobs()
    for spec in {job.arm.name: job.spec for job in jobs}.values():
        check_names(spec)
    run_cache = context.run_cache()
    mine = _select_shard(jobs, shard)
    check_arms(mine, context, executor, run_cache)
    records, failures = sweep(mine, context, executor, on_progress, run_cache)
    if shard is not None:
        records, missing = _find_recorded(jobs, context)
        if missing:
            if on_progress is not None:
                on_progress(
                    f"{missing} runs are left to other shards; the controls follow when their records are joined"
                )
            return Result(records, failures)
    control_jobs = _select_shard(experiment.control_jobs(records), shard)
    more, failed = sweep(control_jobs, context, executor, on_progress, run_cache)
    return Result(records + more, failures + failed)


def _select_shard(jobs: list[Job], shard: tuple[int, int] | None) -> list[Job]:
    """Return the jobs of a shard: whole blocks of a data set and a seed, so that pairs run on one machine."""
    if shard is None:
        return jobs
    blocks = list(dict.fromkeys((job.spec.dataset, job.spec.seed) for job in jobs))
    mine = {block for place, block in enumerate(blocks) if place % shard[1] == shard[0]}
    return [job for job in jobs if (job.spec.dataset, job.spec.seed) in mine]


def _find_recorded(jobs: list[Job], context: RunContext) -> tuple[list[dict[str, Any]], int]:
    """Return the records of the jobs that are done, and the number of those that are not."""
    done = choose_by_key(record_files.read_folder(context.out).runs, record_key)
    found = [done[job.key] for job in jobs if job.key in done]
    return found, len(jobs) - len(found)
