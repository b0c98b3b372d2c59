"""Tune every arm in the same space with the same number of trials, on seeds that are never scored."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from batchsel.cards.experiment_cards import MOST_TRIALS
from batchsel.core.parameters.ranges import Range
from batchsel.errors import UsageError, show
from batchsel.experiments.compare.arm_checks import check_arms
from batchsel.experiments.compare.experiment import MAX_SEEDS, Experiment
from batchsel.experiments.compare.sweep import sweep
from batchsel.experiments.run.arms import Arm, Job, Role
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.spec.resolve import check_names
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.experiments.spec.settings import declared_settings
from batchsel.experiments.tuning.search import SettingsSearch
from batchsel.experiments.tuning.trials import (
    END,
    TARGET,
    Grid,
    Trial,
    TrialRuns,
    check_score,
    score_trials,
    tuning_warnings,
)
from batchsel.schedules import base_learning_rate

FIRST_SEED = MAX_SEEDS
"""Tuning seeds start here; scoring seeds lie below."""
TUNABLE = tuple(each.name for each in declared_settings(RunSpec) if each.facts.tunable)

Trials = dict[str, dict[str, list[Trial]]]
Pair = tuple[str, str]
"""A data set and an arm."""
Combinations = Mapping[Pair, Sequence[dict[str, Any]]]
"""Combinations of settings to try for each pair."""
RunTrials = Callable[[Combinations], Mapping[Pair, list[TrialRuns]]]


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
    """Try every combination with every arm, or as many as `trials` states.

    Args:
        experiment: Arms and data sets; its own seeds are not used.
        grid: Values, or a range, of each setting.
        seeds: Number of tuning seeds.
        context: Folders.
        executor: As in `sweep`.
        on_progress: As in `sweep`; called with warnings too.
        trials: Number of combinations that each arm tries, found by a search of its own; None for all.
        score: "target": a trial ends at its target and is scored by the time to it. "end": it runs on to the end of
            its budget and is scored by the target's metric on the validation part there.

    Returns:
        For each data set and arm the trials, the best first.

    Raises:
        UserError: If a setting is wrong or a name unknown, before anything is run.
    """
    if max(experiment.seeds) >= FIRST_SEED:
        raise UsageError(f"seeds from {FIRST_SEED} on are for tuning; score on lower ones.")
    if seeds > MAX_SEEDS:
        raise UsageError(f"tuning uses at most {MAX_SEEDS:,} seeds, got {seeds:,}.")
    check_score(score)
    if "learning_rate" in grid:
        _check_learning_rates(experiment)
    pairs = [(dataset, arm) for dataset in experiment.datasets for arm in experiment.arms]

    firsts = [
        Job(arm, spec) for dataset in experiment.datasets for arm, spec in experiment.first_specs(dataset).items()
    ]
    check_arms(firsts, context, executor, context.run_cache())

    def run_trials(wanted: Combinations) -> Mapping[Pair, list[TrialRuns]]:
        return _run_trials(experiment, wanted, seeds, context, executor, on_progress, score)

    if trials is None:
        runs = run_trials(dict.fromkeys(pairs, combinations(grid)))
    else:
        runs = _search(pairs, grid, trials, run_trials, score)
    ranked = {pair: sorted(score_trials(tried, score), key=lambda trial: trial.score) for pair, tried in runs.items()}
    if on_progress is not None:
        for (dataset, arm), tried in ranked.items():
            target = experiment.spec(dataset, arm, FIRST_SEED).target
            for warning in tuning_warnings(f"{dataset}, {arm}", tried, grid, score, target):
                on_progress(warning)
    return {dataset: {arm: ranked[dataset, arm] for arm in experiment.arms} for dataset in experiment.datasets}


def combinations(grid: Grid) -> list[dict[str, Any]]:
    """Return all combinations of a grid.

    Args:
        grid: Values of each setting.

    Raises:
        UsageError: If a setting cannot be tuned, or has a range.

    Example:
        >>> combinations({"batch_size": [32, 64]})
        [{'batch_size': 32}, {'batch_size': 64}]
    """
    _check_tunable(grid)
    for name, values in grid.items():
        if isinstance(values, Range):
            raise UsageError(f"{name} has a range, {values}. State the number of trials in it with --trials.")
    lists = [list(values) for values in grid.values() if not isinstance(values, Range)]
    count = math.prod(map(len, lists))
    if count > MOST_TRIALS:
        raise UsageError(f"a grid has at most {MOST_TRIALS:,} combinations of values, got {show(count)}.")
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*lists)]


def _search(
    pairs: Sequence[Pair], grid: Grid, trials: int, run_trials: RunTrials, score: str
) -> dict[Pair, list[TrialRuns]]:
    _check_tunable(grid)
    searches = {pair: SettingsSearch(grid) for pair in pairs}
    runs: dict[Pair, list[TrialRuns]] = {pair: [] for pair in pairs}
    for _ in range(trials):
        # All arms take their next step together, so that they are timed in the same stretch of time.
        for pair, more in run_trials({pair: [search.ask()] for pair, search in searches.items()}).items():
            runs[pair] += more
            searches[pair].tell([trial.score for trial in score_trials(runs[pair], score)])
    return runs


def _run_trials(
    experiment: Experiment,
    wanted: Combinations,
    seeds: int,
    context: RunContext,
    executor: Executor | None,
    on_progress: Callable[[str], None] | None,
    score: str,
) -> dict[Pair, list[TrialRuns]]:
    """Run the combinations of each data set and arm, those of a data set and a seed side by side."""
    jobs = _trial_jobs(experiment, wanted, seeds, score)
    for job in jobs:
        if job.spec.seed == FIRST_SEED:
            check_names(job.spec)
    by_name: dict[Pair, TrialRuns] = {
        (dataset, _trial_name(arm, settings)): TrialRuns(settings, [])
        for (dataset, arm), combinations in wanted.items()
        for settings in combinations
    }
    records, failures = sweep(jobs, context, executor, on_progress)
    for record in records:
        by_name[_record_name(record)].records.append(record)
    for record in failures:
        name = _record_name(record)
        by_name[name] = by_name[name]._replace(failed=by_name[name].failed + 1)
    return {
        (dataset, arm): [by_name[dataset, _trial_name(arm, settings)] for settings in combinations]
        for (dataset, arm), combinations in wanted.items()
    }


def _trial_jobs(experiment: Experiment, wanted: Combinations, seeds: int, score: str) -> list[Job]:
    # Samples after the target do not change the time to it, so trials scored by it end there.
    run_on = {"run_on": score == END}
    return [
        Job(
            Arm(_trial_name(arm, settings), Role.SINGLE),
            experiment.spec(dataset, arm, FIRST_SEED + seed, {**settings, **run_on}),
        )
        for dataset in experiment.datasets
        for seed in range(seeds)
        for place in range(max(map(len, wanted.values())))
        for arm in experiment.arms
        for settings in wanted[dataset, arm][place : place + 1]
    ]


def _trial_name(arm: str, settings: Mapping[str, Any]) -> str:
    return f"{arm} [{', '.join(f'{key}={value}' for key, value in settings.items())}]"


def _record_name(record: Mapping[str, Any]) -> Pair:
    return record["spec"]["dataset"], record["arm"]["name"]


def _check_tunable(grid: Grid) -> None:
    for name in grid:
        if name not in TUNABLE:
            raise UsageError(f"{name!r} cannot be tuned; a grid may hold {', '.join(TUNABLE)}.")


def _check_learning_rates(experiment: Experiment) -> None:
    """Reject schedules that state the learning rate, with which all trials would be the same."""
    for dataset in experiment.datasets:
        for arm in experiment.arms:
            schedule = experiment.spec(dataset, arm, FIRST_SEED).schedule
            stated = base_learning_rate(schedule)
            if stated is not None:
                raise UsageError(
                    f"the learning rate of {arm} cannot be tuned: its schedule, {schedule}, states it as {stated}."
                    " Leave the rate out of the schedule, or learning_rate out of the grid."
                )
