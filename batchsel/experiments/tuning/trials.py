"""What trials of tuning came to: a score each, in one unit for all of an arm on a data set, and what to warn of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

from batchsel.cards.experiment_cards import SCORES
from batchsel.core.ranges import Range
from batchsel.core.target import Target
from batchsel.errors import unknown_name

TARGET, END = SCORES
_PENALTY = 2
"""A run that misses the target counts with this many times what it used (PAR2)."""

Grid = Mapping[str, Sequence[Any] | Range]


class TrialRuns(NamedTuple):
    """One combination of settings and its runs."""

    settings: dict[str, Any]
    records: list[Mapping[str, Any]]
    """Of the runs that ended."""
    failed: int = 0
    """How many runs failed."""


class Trial(NamedTuple):
    """One combination of settings, tried by one arm on one data set."""

    settings: dict[str, Any]
    score: float
    """The less the better. Of "target" mean seconds to it, twice what was used where it was missed; samples if not all
    runs of the arm were timed. Of "end" the mean of the target's metric on the validation part at the end of the
    budget, negative where more is better. Infinite if a run failed."""
    reached: int
    runs: int


def check_score(score: str) -> None:
    """Looks up what trials are scored by.

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


def scored(tried: Sequence[TrialRuns], score: str = TARGET) -> list[Trial]:
    """How combinations of an arm did.

    Seconds and samples cannot be ranked together: seconds count only where all runs of all combinations were timed.
    A combination of which a run failed is no better than one that never ends, however well its other seeds did.

    Args:
        tried: The combinations of one arm on one data set.
        score: "target", how soon it was reached, or "end", how good the end of the budget was.

    Returns:
        A trial for each, in their order.
    """
    timed = not any(record["contended"] for one in tried for record in one.records)
    found = []
    for settings, records, failed in tried:
        values = [_final(record) if score == END else _used(record, timed) for record in records]
        reached = sum(record["reached"] for record in records)
        found.append(Trial(settings, mean(values) if values and not failed else math.inf, reached, len(records)))
    return found


def _used(record: Mapping[str, Any], timed: bool) -> float:
    if timed:
        used = record["crossing"]["seconds"] if record["reached"] else record["seconds"]["training"]
    else:
        used = (record["crossing"] or record["counts"])["samples"]
    return used * (1 if record["reached"] else _PENALTY)


def _final(record: Mapping[str, Any]) -> float:
    target = Target.parse(record["spec"]["target"])
    value = record["evaluations"][-1][target.metric]
    return -value if target.rising else value


def tuning_warnings(arm: str, ranked: Sequence[Trial], grid: Grid, score: str, target: str) -> list[str]:
    """Why the best settings of an arm may not be worth much.

    Args:
        arm: What to call the arm.
        ranked: Its trials, the best first.
        grid: Values, or a range, of each setting.
        score: What they were scored by.
        target: The target that they had.

    Example:
        >>> best = Trial({"learning_rate": 0.1}, 3.0, reached=1, runs=1)
        >>> tuning_warnings("digits, smart", [best], {"learning_rate": [0.1, 0.01]}, "target", "accuracy>=0.9")
        ['tuning digits, smart: the best learning_rate, 0.1, lies at the edge of its grid; a better one may lie beyond']
    """
    best, told = ranked[0], []
    if math.isinf(best.score):
        return [f"tuning {arm}: no combination ended all of its runs, so its settings are chosen by nothing"]
    if score == TARGET and not any(trial.reached for trial in ranked):
        told.append(f"no trial reached {target}, so its settings are those that used least, which says nothing of them")
    for name, values in grid.items():
        if not isinstance(values, Range) and _at_edge(best.settings[name], values):
            told.append(
                f"the best {name}, {best.settings[name]}, lies at the edge of its grid; a better one may lie beyond"
            )
    return [f"tuning {arm}: {sentence}" for sentence in told]


def _at_edge(value: Any, values: Sequence[Any]) -> bool:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    return numbers and len(set(values)) > 1 and value in (min(values), max(values))
