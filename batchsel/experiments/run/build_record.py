"""What a record says about a run that has ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from batchsel.core.target import HOLD, Target, first_reached
from batchsel.data import Dataset
from batchsel.experiments.compare.arms import Arm
from batchsel.experiments.run import environment, records
from batchsel.experiments.spec.dataset_lookup import targets_of, whole
from batchsel.experiments.spec.spec import RunSpec
from batchsel.training.runtime.devices import devices, threads
from batchsel.training.trainer import Trainer


def record(
    spec: RunSpec, arm: Arm, trainer: Trainer, dataset: Dataset, selection_each: dict[str, float]
) -> dict[str, Any]:
    """The record of a run, JSON.

    Args:
        spec: The settings.
        arm: What the run is in an experiment.
        trainer: After the run.
        dataset: The data.
        selection_each: Seconds of "planning" a plan, and of "updating", "scoring" and "choosing" in a step.
    """
    target = Target.parse(spec.target)
    met = [target.met(results) for results in trainer.evaluations]
    held, first = first_reached(met, HOLD), first_reached(met, 1)
    counts = trainer.counts
    scored = _scored_batches(trainer)
    happened = {"planning": counts["plans"], "updating": counts["steps"], "scoring": scored, "choosing": scored}
    return {
        "schema": records.SCHEMA,
        "spec": spec.values(),
        "digest": spec.digest(),
        "arm": arm.values(),
        "versions": environment.versions(),
        "machine": {**environment.machine(), "devices": devices(), "threads": threads()},
        "xla": trainer.xla,
        "sizes": {part: len(getattr(dataset, part)) for part in ("train", "validation", "test")},
        "parameters": trainer.model.count_params(),
        "targets": targets_of(spec.dataset),
        "reached": held is not None,
        "crossing": None if held is None else trainer.evaluations[held],
        "first_crossing": None if first is None else trainer.evaluations[first],
        "test": _test(trainer, dataset, held is not None),
        "counts": counts,
        "updates": int(trainer.model.optimizer.iterations.numpy()),
        "kept": _kept(trainer),
        "visits": np.bincount(trainer.visits).tolist(),
        **_wrong_labels(trainer, dataset),
        "seconds": dict(trainer.clock.seconds),
        "selection": {name: seconds * happened[name] for name, seconds in selection_each.items()},
        "evaluations": trainer.evaluations,
        "history": trainer.history,
        **_course(trainer),
    }


def _course(trainer: Trainer) -> dict[str, Any]:
    """What changed over time, where anything did."""
    course, groups = trainer.schedule_log, trainer.layer_groups
    if course is None:
        return {}
    return {"course": course if groups is None else {**course, "groups": groups.rows()}}


def _wrong_labels(trainer: Trainer, dataset: Dataset) -> dict[str, dict[str, float]]:
    """The share of wrong labels in the data, and among the samples trained on, where labels were made wrong."""
    if dataset.true_labels is None:
        return {}
    wrong, visits = np.asarray(dataset.train.y != dataset.true_labels), trainer.visits
    return {"wrong_labels": {"data": float(wrong.mean()), "trained": float(visits[wrong].sum() / max(visits.sum(), 1))}}


def _test(trainer: Trainer, dataset: Dataset, reached: bool) -> dict[str, float]:
    """The test part is read once: with the weights at the crossing, else with those at the end."""
    model, last = trainer.model, trainer.model.get_weights()
    if reached and trainer.weights_at_target is not None:
        model.set_weights(trainer.weights_at_target)
    results = trainer.evaluate(*whole(dataset.test))
    model.set_weights(last)
    return results


def _scored_batches(trainer: Trainer) -> float:
    """How many pools, or batches that were only scored, there were; samples scored by other models are none of them."""
    selector, counts = trainer.selector, trainer.counts
    if selector.pool_size(trainer.batch_size) is not None and not selector.can_skip_scoring:
        return counts["steps"]
    return counts["scored"] / trainer.loop.width if selector.can_skip_scoring or selector.scores_excluded else 0


def _kept(trainer: Trainer) -> float:
    """The share of the samples that a plan could train on which it did; 1 for selectors that score pools of all."""
    loop, counts = trainer.loop, trainer.counts
    if counts["plans"] == 0 or trainer.selector.pool_size(trainer.batch_size) is not None:
        return 1.0
    weights = loop.state.plan.weights.numpy().reshape(loop.plan_steps, loop.width)
    rest = weights[int(loop.state.cursor.numpy()) : int(loop.state.plan.steps.numpy())]
    planned = counts["samples"] + int((rest > 0).sum())
    room = min(loop.plan_steps * loop.width, max(loop.n, loop.width))
    return min(1.0, planned / (counts["plans"] * room))
