"""Carries out an experiment: tuning if it is stated, its arms, then the controls that depend on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple

from batchsel.cards.experiment_cards import ExperimentCard
from batchsel.errors import UsageError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.jobs import Job, key_of
from batchsel.experiments.compare.sweep import sweep
from batchsel.experiments.run import records as files
from batchsel.experiments.run.runner import RunContext
from batchsel.experiments.spec.spec import check_names
from batchsel.experiments.tuning import tuned_settings, tuning


class Result(NamedTuple):
    """What an experiment has brought."""

    records: list[dict[str, Any]]
    failures: list[dict[str, Any]]


def run_experiment(
    experiment: Experiment,
    context: RunContext,
    executor: Executor | None = None,
    on_progress: Callable[[str], None] | None = None,
    shard: tuple[int, int] | None = None,
) -> Result:
    """Runs what is not recorded yet.

    Args:
        experiment: The experiment.
        context: Folders; records lie in `context.out`.
        executor: As in `sweep`.
        on_progress: As in `sweep`.
        shard: Which part of the blocks of a data set and seed to run, and of how many; None for all. Controls
            follow when the arms are recorded on all seeds: join the records and call it once more.

    Raises:
        UserError: If a setting is wrong or a name unknown, before anything is run.
    """
    jobs = experiment.jobs()
    for spec in {job.arm.name: job.spec for job in jobs}.values():
        check_names(spec)
    run_cache = context.run_cache()
    records, failures = sweep(_part(jobs, shard), context, executor, on_progress, run_cache)
    if shard is not None:
        records, missing = _recorded(jobs, context)
        if missing:
            _say(
                on_progress,
                f"{missing} runs are left to other shards; the controls follow when their records are joined",
            )
            return Result(records, failures)
    more, failed = sweep(_part(experiment.control_jobs(records), shard), context, executor, on_progress, run_cache)
    return Result(records + more, failures + failed)


def run_card(
    card: ExperimentCard,
    context: RunContext,
    executor: Executor | None = None,
    on_progress: Callable[[str], None] | None = None,
    shard: tuple[int, int] | None = None,
    seeds: int | None = None,
) -> Result:
    """Carries out what a card states.

    A run that is recorded is done, also where what is to be measured besides was added to the card later: to have it
    measured, take its line out of the records.

    Args:
        card: The card, or its scaled form.
        context: As in `run_experiment`.
        executor: As in `run_experiment`.
        on_progress: As in `run_experiment`.
        shard: As in `run_experiment`.
        seeds: How many seeds, or None for the card's.

    Raises:
        UserError: If a setting is wrong or a name unknown, or what was tuned is not what the card states any more;
            before anything is run.
    """
    experiment = Experiment.of(card, seeds)
    context = dataclasses.replace(context, measures=card.measure, about={**context.about, **_about(card)})
    if card.tuning is None:
        return run_experiment(experiment, context, executor, on_progress, shard)
    path, stated = context.out / tuned_settings.FILE, card.tuning
    digest = tuned_settings.stated_digest(experiment, stated)
    if not path.is_file():
        if shard is not None:
            raise UsageError(f"tune first, in one piece: call it without --shard once, until {path} is written.")
        how = {"trials": stated.trials, "score": stated.score}
        found = tuning.tune(experiment, stated.grid, stated.seeds, _apart(context), executor, on_progress, **how)
        tuned_settings.write(path, found, digest)
    tuned = dataclasses.replace(experiment, tuned=tuned_settings.read(path, digest))
    return run_experiment(tuned, context, executor, on_progress, shard)


def _about(card: ExperimentCard) -> dict[str, Any]:
    """What reports want to know of a card: they are made from records alone."""
    words = {"experiment": card.name, "question": card.question, "story": card.story, "form": card.form}
    return {**words, "analysis": dict(card.analysis)}


def _apart(context: RunContext) -> RunContext:
    """Trials lie in a folder of their own: they are no part of what is compared, and not measured besides."""
    return dataclasses.replace(context, out=context.out / "tuning", measures=())


def _part(jobs: list[Job], shard: tuple[int, int] | None) -> list[Job]:
    """The jobs of a shard: whole blocks of a data set and a seed, so that pairs are run on one machine."""
    if shard is None:
        return jobs
    blocks = list(dict.fromkeys((job.spec.dataset, job.spec.seed) for job in jobs))
    mine = {block for place, block in enumerate(blocks) if place % shard[1] == shard[0]}
    return [job for job in jobs if (job.spec.dataset, job.spec.seed) in mine]


def _recorded(jobs: list[Job], context: RunContext) -> tuple[list[dict[str, Any]], int]:
    done = {key_of(record): record for record in files.read_folder(context.out).runs}
    found = [done[job.key] for job in jobs if job.key in done]
    return found, len(jobs) - len(found)


def _say(on_progress: Callable[[str], None] | None, line: str) -> None:
    if on_progress is not None:
        on_progress(line)
