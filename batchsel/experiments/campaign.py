"""Carries out an experiment: its arms, then the controls that depend on them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple

from batchsel.experiments.experiment import Experiment
from batchsel.experiments.runner import Surroundings
from batchsel.experiments.spec import check_names
from batchsel.experiments.sweep import sweep


class Result(NamedTuple):
    """What an experiment has brought."""

    records: list[dict[str, Any]]
    failures: list[dict[str, Any]]


def conduct(
    experiment: Experiment,
    around: Surroundings,
    executor: Executor | None = None,
    tell: Callable[[str], None] | None = None,
) -> Result:
    """Runs what is not recorded yet.

    Args:
        experiment: The experiment.
        around: Folders; records lie in `around.out`.
        executor: As in `sweep`.
        tell: As in `sweep`.

    Raises:
        UserError: If a setting is wrong or a name unknown, before anything is run.
    """
    jobs = experiment.jobs()
    for spec in {job.arm.name: job.spec for job in jobs}.values():
        check_names(spec)
    workshop = around.workshop()
    records, failures = sweep(jobs, around, executor, tell, workshop)
    more, failed = sweep(experiment.control_jobs(records), around, executor, tell, workshop)
    return Result(records + more, failures + failed)
