"""Tuning: the same space and the same number of trials for every arm, on seeds that are never scored."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from batchsel.core.ranges import Range
from batchsel.errors import UsageError
from batchsel.experiments.compare import arms as roles
from batchsel.experiments.compare.arms import Arm
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.jobs import Job
from batchsel.experiments.compare.sweep import sweep
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.spec.spec import RunSpec, check_names
from batchsel.experiments.tuning.search import Search
from batchsel.experiments.tuning.trials import END, TARGET, Grid, Trial, TrialRuns, check_score, scored, tuning_warnings
from batchsel.schedules import base_learning_rate

FIRST_SEED = 1_000_000
"""Tuning seeds start here; scoring seeds lie below."""
TUNABLE = ("batch_size", "learning_rate", "schedule", "budget", "optimizer", "model", "augment")

Trials = dict[str, dict[str, list[Trial]]]
Pair = tuple[str, str]
"""A data set and an arm."""


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
    context: RunContext,
    executor: Executor | None = None,
    on_progress: Callable[[str], None] | None = None,
    trials: int | None = None,
    score: str = TARGET,
) -> Trials:
    """Tries every combination with every arm, or as many as are asked for.

    Args:
        experiment: Arms and data sets; its own seeds are not touched.
        grid: Values, or a range, of each setting.
        seeds: Tuning seeds.
        context: Folders.
        executor: As in `sweep`.
        on_progress: As in `sweep`; called with warnings too.
        trials: How many combinations each arm tries, found by a `Search` of its own; None for all.
        score: "target": a trial ends at its target and is scored by how soon that was. "end": it goes on to the end of
            its budget and is scored by the target's metric on the validation part then.

    Returns:
        For each data set and arm the trials, the best first.

    Raises:
        UserError: If a setting is wrong or a name unknown, before anything is run.
    """
    if max(experiment.seeds) >= FIRST_SEED:
        raise UsageError(f"seeds from {FIRST_SEED} on are for tuning; score on lower ones.")
    check_score(score)
    if "learning_rate" in grid:
        _check_rates(experiment)
    pairs = [(dataset, arm) for dataset in experiment.datasets for arm in experiment.arms]

    def tried(wanted: Mapping[Pair, Sequence[dict[str, Any]]]) -> Mapping[Pair, list[TrialRuns]]:
        return _tried(experiment, wanted, seeds, context, executor, on_progress, score)

    if trials is None:
        found = tried(dict.fromkeys(pairs, combinations(grid)))
    else:
        found = _searched(pairs, grid, trials, tried, score)
    ranked = {pair: sorted(scored(of, score), key=lambda item: item.score) for pair, of in found.items()}
    for (dataset, arm), of in ranked.items() if on_progress is not None else ():
        target = experiment.spec(dataset, arm, FIRST_SEED).target
        for doubt in tuning_warnings(f"{dataset}, {arm}", of, grid, score, target):
            on_progress(doubt)
    return {dataset: {arm: ranked[dataset, arm] for arm in experiment.arms} for dataset in experiment.datasets}


def _searched(
    pairs: Sequence[Pair],
    grid: Grid,
    trials: int,
    try_them: Callable[[Mapping[Pair, Sequence[dict[str, Any]]]], Mapping[Pair, list[TrialRuns]]],
    score: str,
) -> dict[Pair, list[TrialRuns]]:
    _check(grid)
    searches = {pair: Search(grid) for pair in pairs}
    found: dict[Pair, list[TrialRuns]] = {pair: [] for pair in pairs}
    for _ in range(trials):
        # All arms take their next step together, so that they are timed in the same stretch of time.
        for pair, more in try_them({pair: [search.ask()] for pair, search in searches.items()}).items():
            found[pair] += more
            searches[pair].on_progress([trial.score for trial in scored(found[pair], score)])
    return found


def _check(grid: Grid) -> None:
    for name in grid:
        if name not in TUNABLE:
            raise UsageError(f"{name!r} cannot be tuned; a grid may hold {', '.join(TUNABLE)}.")


def _tried(
    experiment: Experiment,
    wanted: Mapping[tuple[str, str], Sequence[dict[str, Any]]],
    seeds: int,
    context: RunContext,
    executor: Executor | None,
    on_progress: Callable[[str], None] | None,
    score: str,
) -> dict[Pair, list[TrialRuns]]:
    """Runs the combinations that are wanted of each data set and arm, those of a data set and a seed side by side."""
    jobs = [
        Job(
            Arm(_name(arm, settings), roles.SINGLE), _spec(experiment, dataset, arm, settings, FIRST_SEED + seed, score)
        )
        for dataset in experiment.datasets
        for seed in range(seeds)
        for place in range(max(map(len, wanted.values())))
        for arm in experiment.arms
        for settings in wanted[dataset, arm][place : place + 1]
    ]
    for job in jobs:
        if job.spec.seed == FIRST_SEED:
            check_names(job.spec)
    by_key: dict[Pair, TrialRuns] = {
        (dataset, _name(arm, settings)): TrialRuns(settings, [])
        for (dataset, arm), of in wanted.items()
        for settings in of
    }
    records, failures = sweep(jobs, context, executor, on_progress)
    for record in records:
        by_key[_key(record)].records.append(record)
    for record in failures:
        key = _key(record)
        by_key[key] = by_key[key]._replace(failed=by_key[key].failed + 1)
    return {
        (dataset, arm): [by_key[dataset, _name(arm, settings)] for settings in of]
        for (dataset, arm), of in wanted.items()
    }


def _key(record: Mapping[str, Any]) -> Pair:
    return record["spec"]["dataset"], record["arm"]["name"]


def _check_rates(experiment: Experiment) -> None:
    """A schedule that states the rate itself would make all trials the same."""
    for dataset in experiment.datasets:
        for arm in experiment.arms:
            schedule = experiment.spec(dataset, arm, FIRST_SEED).schedule
            stated = base_learning_rate(schedule)
            if stated is not None:
                raise UsageError(
                    f"the learning rate of {arm} cannot be tuned: its schedule, {schedule}, states it as {stated}."
                    " Leave the rate out of the schedule, or learning_rate out of the grid."
                )


def _spec(
    experiment: Experiment, dataset: str, arm: str, settings: Mapping[str, Any], seed: int, score: str
) -> RunSpec:
    # Of a trial that is scored by its target, what comes after does not tell how soon it was reached.
    return experiment.spec(dataset, arm, seed, {**settings, "run_on": score == END})


def _name(arm: str, settings: Mapping[str, Any]) -> str:
    return f"{arm} [{', '.join(f'{key}={value}' for key, value in settings.items())}]"
