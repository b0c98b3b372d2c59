"""Tuning: the same space and the same number of trials for every arm, on seeds that are never scored."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from statistics import mean
from typing import Any, NamedTuple

from batchsel.errors import UsageError
from batchsel.experiments import arms as roles
from batchsel.experiments.arms import Arm
from batchsel.experiments.experiment import Experiment
from batchsel.experiments.jobs import Job
from batchsel.experiments.runner import Surroundings
from batchsel.experiments.search import Search
from batchsel.experiments.spec import check_names
from batchsel.experiments.sweep import sweep
from batchsel.ranges import Range
from batchsel.schedules import stated_rate

FIRST_SEED = 1_000_000
"""Tuning seeds start here; scoring seeds lie below."""
TUNABLE = ("batch_size", "learning_rate", "schedule", "budget", "optimizer", "model", "augment")
_PENALTY = 2
"""A run that misses the target counts with this many times what it used (PAR2)."""


Grid = Mapping[str, Sequence[Any] | Range]


class Trial(NamedTuple):
    """One combination of settings, tried by one arm on one data set."""

    settings: dict[str, Any]
    score: float
    """Mean seconds to the target, twice what was used where it was missed; samples where times were not had."""
    reached: int
    runs: int


Trials = dict[str, dict[str, list[Trial]]]


def combinations(grid: Grid) -> list[dict[str, Any]]:
    """All combinations of a grid.

    Args:
        grid: Values of each setting.

    Raises:
        UsageError: If a setting cannot be tuned, or has a range.

    Example:
        >>> combinations({"batch_size": [32, 64]})
        [{'batch_size': 32}, {'batch_size': 64}]
    """
    _check(grid)
    for name, values in grid.items():
        if isinstance(values, Range):
            raise UsageError(f"{name} has a range, {values}; say how many --trials are to be made in it.")
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def tune(
    experiment: Experiment,
    grid: Grid,
    seeds: int,
    around: Surroundings,
    executor: Executor | None = None,
    tell: Callable[[str], None] | None = None,
    trials: int | None = None,
) -> Trials:
    """Tries every combination with every arm, or as many as are asked for.

    Args:
        experiment: Arms and data sets; its own seeds are not touched.
        grid: Values, or a range, of each setting.
        seeds: Tuning seeds.
        around: Folders.
        executor: As in `sweep`.
        tell: As in `sweep`.
        trials: How many combinations each arm tries, found by a `Search` of its own; None for all.

    Returns:
        For each data set and arm the trials, the best first.

    Raises:
        UserError: If a setting is wrong or a name unknown, before anything is run.
    """
    if max(experiment.seeds) >= FIRST_SEED:
        raise UsageError(f"seeds from {FIRST_SEED} on are for tuning; score on lower ones.")
    pairs = [(dataset, arm) for dataset in experiment.datasets for arm in experiment.arms]
    if "learning_rate" in grid:
        _check_rates(experiment)

    def tried(wanted: Mapping[tuple[str, str], Sequence[dict[str, Any]]]) -> Mapping[tuple[str, str], list[Trial]]:
        return _tried(experiment, wanted, seeds, around, executor, tell)

    found: dict[tuple[str, str], list[Trial]] = {pair: [] for pair in pairs}
    if trials is None:
        found = tried(dict.fromkeys(pairs, combinations(grid)))
    else:
        _check(grid)
        searches = {pair: Search(grid) for pair in pairs}
        for _ in range(trials):
            # All arms take their next step together, so that they are timed in the same stretch of time.
            for pair, (one,) in tried({pair: [search.ask()] for pair, search in searches.items()}).items():
                searches[pair].tell(one.score)
                found[pair].append(one)
    ranked = {pair: sorted(tried, key=lambda item: item.score) for pair, tried in found.items()}
    return {dataset: {arm: ranked[dataset, arm] for arm in experiment.arms} for dataset in experiment.datasets}


def _check(grid: Grid) -> None:
    for name in grid:
        if name not in TUNABLE:
            raise UsageError(f"{name!r} cannot be tuned; a grid may hold {', '.join(TUNABLE)}.")


def _tried(
    experiment: Experiment,
    wanted: Mapping[tuple[str, str], Sequence[dict[str, Any]]],
    seeds: int,
    around: Surroundings,
    executor: Executor | None,
    tell: Callable[[str], None] | None,
) -> dict[tuple[str, str], list[Trial]]:
    """Runs the combinations that are wanted of each data set and arm, those of a data set and a seed side by side."""
    jobs = [
        Job(Arm(_name(arm, settings), roles.SINGLE), _spec(experiment, dataset, arm, settings, FIRST_SEED + seed))
        for dataset in experiment.datasets
        for seed in range(seeds)
        for place in range(max(map(len, wanted.values())))
        for arm in experiment.arms
        for settings in wanted[dataset, arm][place : place + 1]
    ]
    for job in jobs:
        if job.spec.seed == FIRST_SEED:
            check_names(job.spec)
    records, _ = sweep(jobs, around, executor, tell)
    by_key: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        by_key.setdefault((record["spec"]["dataset"], record["arm"]["name"]), []).append(record)
    return {
        (dataset, arm): [trial(settings, by_key.get((dataset, _name(arm, settings)), [])) for settings in of]
        for (dataset, arm), of in wanted.items()
    }


def _check_rates(experiment: Experiment) -> None:
    """A schedule that states the rate itself would make all trials the same."""
    for dataset in experiment.datasets:
        for arm in experiment.arms:
            schedule = experiment.spec(dataset, arm, FIRST_SEED).schedule
            stated = stated_rate(schedule)
            if stated is not None:
                raise UsageError(
                    f"the learning rate of {arm} cannot be tuned: its schedule, {schedule}, states it as {stated}."
                    " Leave the rate out of the schedule, or learning_rate out of the grid."
                )


def _spec(experiment: Experiment, dataset: str, arm: str, settings: Mapping[str, Any], seed: int) -> Any:
    # A trial ends at its target: what comes after does not tell how soon it was reached.
    return experiment.spec(dataset, arm, seed, {**settings, "run_on": False})


def _name(arm: str, settings: Mapping[str, Any]) -> str:
    return f"{arm} [{', '.join(f'{key}={value}' for key, value in settings.items())}]"


def trial(settings: dict[str, Any], records: Sequence[Mapping[str, Any]]) -> Trial:
    """How a combination did.

    Args:
        settings: The combination.
        records: Its runs; none if all failed.
    """
    if not records:
        return Trial(settings, math.inf, 0, 0)
    timed = not any(record["contended"] for record in records)
    used = [_used(record, timed) * (1 if record["reached"] else _PENALTY) for record in records]
    return Trial(settings, mean(used), sum(record["reached"] for record in records), len(records))


def _used(record: Mapping[str, Any], timed: bool) -> float:
    if timed:
        return record["crossing"]["seconds"] if record["reached"] else record["seconds"]["training"]
    return (record["crossing"] or record["counts"])["samples"]
