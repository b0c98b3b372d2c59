"""Run an experiment card: tune its arms if it states so, then run and compare them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from batchsel.cards.experiment_cards import ExperimentCard
from batchsel.errors import UsageError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.run_experiment import Result, run_experiment
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.tuning import tuned_settings, tuning


def run_card(
    card: ExperimentCard,
    context: RunContext,
    executor: Executor | None = None,
    on_progress: Callable[[str], None] | None = None,
    shard: tuple[int, int] | None = None,
    seeds: int | None = None,
) -> Result:
    """Run the experiment that a card states.

    A recorded run is done, even where diagnostics were added to the card later: to have it measured, remove its line
    from the records.

    Args:
        card: The card, or its scaled form.
        context: As in `run_experiment`.
        executor: As in `run_experiment`.
        on_progress: As in `run_experiment`.
        shard: As in `run_experiment`.
        seeds: Number of seeds, or None for the card's.

    Raises:
        UserError: If a setting is wrong or a name unknown, or the settings were tuned for another form of the card;
            before anything is run.
    """
    experiment = Experiment.from_card(card, seeds)
    context = dataclasses.replace(context, diagnostics=card.measure, about={**context.about, **_about(card)})
    if card.tuning is None:
        return run_experiment(experiment, context, executor, on_progress, shard)
    path, stated = context.out / tuned_settings.FILE, card.tuning
    digest = tuned_settings.stated_digest(experiment, stated)
    if not path.is_file():
        if shard is not None:
            raise UsageError(f"tune first, in one piece: call it without --shard once, until {path} is written.")
        # Trials lie in a folder of their own: they are not compared, and not measured.
        trial_context = dataclasses.replace(context, out=context.out / "tuning", diagnostics=(), trackers={})
        options = {"trials": stated.trials, "score": stated.score}
        trials = tuning.tune(experiment, stated.grid, stated.seeds, trial_context, executor, on_progress, **options)
        tuned_settings.write(path, trials, digest)
    tuned = dataclasses.replace(experiment, tuned=tuned_settings.read(path, digest))
    return run_experiment(tuned, context, executor, on_progress, shard)


def _about(card: ExperimentCard) -> dict[str, Any]:
    """Return everything that reports need of a card: they are made from records alone."""
    texts = {"experiment": card.name, "question": card.question, "story": card.story, "form": card.form}
    return {**texts, "analysis": dict(card.analysis)}
