"""Score tuning trials and flag unreliable ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

from batchsel.cards.experiment_cards import SCORES
from batchsel.core.parameters.ranges import Range
from batchsel.core.target import Target
from batchsel.errors import unknown_name

TARGET, END = SCORES
_PENALTY = 2
"""A run that misses the target counts with this many times its cost (PAR2)."""

Grid = Mapping[str, Sequence[Any] | Range]


class TrialRuns(NamedTuple):
    """One combination of settings and its runs."""

    settings: dict[str, Any]
    records: list[Mapping[str, Any]]
    """Records of the runs that ended."""
    failed: int = 0
    """Number of runs that failed."""


class Trial(NamedTuple):
    """One combination of settings, tried by one arm on one data set."""

    settings: dict[str, Any]
    score: float
    """Lower is better. For "target", mean seconds to it, with twice the time used where it was missed; samples if not
    all runs of the arm were timed. For "end", the mean of the target's metric on the validation part at the end of the
    budget, negative where higher is better. Infinite if a run failed."""
    reached: int
    runs: int


def check_score(score: str) -> None:
    """Look up the score of trials.

    Args:
        score: "target" or "end".

    Raises:
        UsageError: If it is neither.

    Example:
        >>> check_score("best")
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown score 'best'. Known: end, target.
    """
    if score not in SCORES:
        raise unknown_name("score", score, SCORES)


def score_trials(trial_runs: Sequence[TrialRuns], score: str = TARGET) -> list[Trial]:
    """Score the combinations of settings that an arm tried.

    Seconds and samples cannot be ranked together: seconds count only where all runs of all combinations were timed.
    A combination with a failed run is as bad as one that never ends, however well its other seeds did.

    Args:
        trial_runs: The combinations of one arm on one data set.
        score: "target" for the time to the target, or "end" for the metric at the end of the budget.

    Returns:
        A trial for each, in the same order.
    """
    timed = not any(record["contended"] for runs in trial_runs for record in runs.records)
    trials = []
    for settings, records, failed in trial_runs:
        values = [_final_metric(record) if score == END else _cost(record, timed) for record in records]
        reached = sum(record["reached"] for record in records)
        trials.append(Trial(settings, mean(values) if values and not failed else math.inf, reached, len(records)))
    return trials


def _cost(record: Mapping[str, Any], timed: bool) -> float:
    if timed:
        cost = record["crossing"]["seconds"] if record["reached"] else record["seconds"]["training"]
    else:
        cost = (record["crossing"] or record["counts"])["samples"]
    return cost * (1 if record["reached"] else _PENALTY)


def _final_metric(record: Mapping[str, Any]) -> float:
    target = Target.parse(record["spec"]["target"])
    value = record["evaluations"][-1][target.metric]
    return -value if target.rising else value


def tuning_warnings(arm: str, ranked: Sequence[Trial], grid: Grid, score: str, target: str) -> list[str]:
    """Return reasons why the best settings of an arm may not be worth much.

    Args:
        arm: Name of the arm in the warnings.
        ranked: Its trials, the best first.
        grid: Values, or a range, of each setting.
        score: Score of the trials, "target" or "end".
        target: Target of the trials.

    Example:
        >>> best = Trial({"learning_rate": 0.1}, 3.0, reached=1, runs=1)
        >>> tuning_warnings("digits, smart", [best], {"learning_rate": [0.1, 0.01]}, "target", "accuracy>=0.9")
        ['tuning digits, smart: the best learning_rate, 0.1, lies at the edge of its grid; a better one may lie beyond']
    """
    best, warnings = ranked[0], []
    if math.isinf(best.score):
        return [f"tuning {arm}: no combination ended all of its runs, so its settings are an arbitrary choice"]
    if score == TARGET and not any(trial.reached for trial in ranked):
        warnings.append(f"no trial reached {target}: its settings are the cheapest ones, not those that learn best")
    for name, values in grid.items():
        if not isinstance(values, Range) and _is_at_edge(best.settings[name], values):
            value = best.settings[name]
            warnings.append(f"the best {name}, {value}, lies at the edge of its grid; a better one may lie beyond")
    return [f"tuning {arm}: {sentence}" for sentence in warnings]


def _is_at_edge(value: Any, values: Sequence[Any]) -> bool:
    are_numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    return are_numbers and len(set(values)) > 1 and value in (min(values), max(values))
