"""Search for a faster way to train, one factor after another, and verify it on fresh seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from batchsel.core.parameters.ranges import Range
from batchsel.errors import UsageError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.run_experiment import Result, run_experiment
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.experiments.tuning import tuning
from batchsel.experiments.tuning.trials import Grid

START = "as given"
"""Name of the first rung: the settings as they were given, none of them tuned."""
SELECTORS = ("auto", "soft_keep(rescale=True)", "infobatch", "loss_ema")
_RATE = 8.0
"""Learning rates are searched from one so many times smaller to one so many times larger."""
_HORIZONS = (0.4, 0.7, 1.0)
_SCHEDULES = ("linear", "cosine", "cosine | warmup(0.05)")
_SIZES = (0.5, 1, 2)


@dataclass(frozen=True)
class Rung:
    """One more factor than in the rung before.

    Args:
        name: Name of the factor, and of the arm.
        grid: Values that are searched for its settings; the learning rate is searched anew on every rung.
    """

    name: str
    grid: Grid


def rungs(spec: RunSpec, selectors: Sequence[str] = SELECTORS) -> list[Rung]:
    """Return the factors in the order in which they are added: rate, schedule and horizon, batch size, selection.

    Selection comes last, on top of everything that is tuned without it, so that its share is not one of theirs.

    Args:
        spec: The settings as given.
        selectors: Selectors to choose from.

    Raises:
        UsageError: If the budget is not one of passes or samples.

    Example:
        >>> spec = RunSpec("digits", "mlp", "random", 32, "adam", 1e-3, "linear", "20 passes", "accuracy>=0.9")
        >>> [rung.name for rung in rungs(spec)]
        ['learning rate', 'schedule and horizon', 'batch size', 'selection']
        >>> rungs(spec)[2].grid["batch_size"]
        [16, 32, 64]
    """
    budget = Budget.parse(spec.budget)
    if budget.unit not in ("passes", "samples"):
        raise UsageError(f"a recipe shortens budgets in passes or samples, got {spec.budget!r}. Give passes.")
    horizons = [str(dataclasses.replace(budget, amount=_round(budget.amount * share))) for share in _HORIZONS]
    schedules = list(dict.fromkeys([spec.schedule, *_SCHEDULES]))
    sizes = sorted({max(1, round(spec.batch_size * factor)) for factor in _SIZES})
    return [
        Rung("learning rate", {}),
        Rung("schedule and horizon", {"schedule": schedules, "budget": list(dict.fromkeys(horizons))}),
        Rung("batch size", {"batch_size": sizes}),
        Rung("selection", {"selector": list(selectors)}),
    ]


def find_recipe(
    experiment: Experiment,
    trials: int,
    tuning_seeds: int,
    context: RunContext,
    executor: Executor | None = None,
    on_progress: Callable[[str], None] | None = None,
    selectors: Sequence[str] = SELECTORS,
) -> tuple[Result, dict[str, dict[str, Any]]]:
    """Search rung by rung with the same number of trials each, then run all rungs on the seeds of the experiment.

    Args:
        experiment: One data set and one arm, `START`, with the settings as given.
        trials: Combinations that each rung tries.
        tuning_seeds: Seeds of each; they are never scored.
        context: Folders; trials lie in a folder of their own.
        executor: As in `run_experiment`.
        on_progress: As in `run_experiment`.
        selectors: Selectors to choose from.

    Returns:
        Records and failures of the verification, and the settings of each rung.

    Raises:
        UserError: If a setting is wrong or a name unknown, before anything is run.
    """
    (dataset,) = experiment.datasets
    given = experiment.spec(dataset, START, experiment.seeds[0])
    rate = Range(given.learning_rate / _RATE, given.learning_rate * _RATE)
    found: dict[str, dict[str, Any]] = {START: dict(experiment.arms[START])}
    trial_context = dataclasses.replace(context, out=context.out / "tuning", diagnostics=(), trackers={})
    for rung in rungs(given, selectors):
        start = dict(list(found.values())[-1])
        step = dataclasses.replace(experiment, arms={rung.name: start}, baseline=rung.name)
        grid = {"learning_rate": rate, **rung.grid}
        tried = tuning.tune(step, grid, tuning_seeds, trial_context, executor, on_progress, trials)[dataset][rung.name]
        found[rung.name] = start | tried[0].settings
    verified = dataclasses.replace(experiment, arms=found, baseline=START, controls=("again",))
    return run_experiment(verified, context, executor, on_progress), found


def _round(amount: float) -> float:
    return round(amount) if amount >= 10 else round(amount, 2)
