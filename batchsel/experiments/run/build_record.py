"""Build the record of a finished run."""

from __future__ import annotations

from typing import Any

import numpy as np

from batchsel.core.target import HOLD, Target, first_reached
from batchsel.data import Dataset, Split
from batchsel.experiments.run import environment, records
from batchsel.experiments.run.arms import Arm
from batchsel.experiments.spec.dataset_lookup import card_targets, load_arrays
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.training.runtime.devices import devices, gpu_names, threads, used_gpus
from batchsel.training.trainer import Trainer


def build_record(
    spec: RunSpec,
    arm: Arm,
    trainer: Trainer,
    dataset: Dataset,
    selection_cost: dict[str, float],
    scoring: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Return the record of a run, JSON.

    Args:
        spec: The settings.
        arm: The arm of the run in its experiment.
        trainer: The trainer, after the run.
        dataset: The data.
        selection_cost: Seconds of "planning" per plan, and of "updating", "scoring" and "choosing" per step.
        scoring: Price and rank correlation of cheaper scores, as of `scoring_quality`, if there are any.
    """
    target = Target.parse(spec.target)
    met = [target.is_met_by(results) for results in trainer.evaluations]
    held, first = first_reached(met, HOLD), first_reached(met, 1)
    counts = trainer.counts
    scored = _scored_batches(trainer)
    repeats = {"planning": counts["plans"], "updating": counts["steps"], "scoring": scored, "choosing": scored}
    return {
        "schema": records.SCHEMA,
        "spec": spec.values(),
        "digest": spec.digest(),
        "arm": arm.values(),
        "versions": environment.versions(),
        "machine": {**environment.machine(), "devices": devices(), "threads": threads(), **_gpu()},
        "xla": trainer.xla,
        "sizes": {part: len(getattr(dataset, part)) for part in ("train", "validation", "test")},
        "parameters": trainer.model.count_params(),
        "targets": card_targets(spec.dataset),
        "reached": held is not None,
        "crossing": None if held is None else trainer.evaluations[held],
        "first_crossing": None if first is None else trainer.evaluations[first],
        "test": _evaluate_test(trainer, dataset, held is not None),
        "counts": counts,
        "updates": int(trainer.model.optimizer.iterations.numpy()),
        "kept": _kept_share(trainer),
        "visits": np.bincount(trainer.visits).tolist(),
        **_wrong_labels(trainer, dataset),
        "seconds": dict(trainer.clock.seconds),
        **_stalls(trainer),
        **_devices(trainer),
        **({"scoring": scoring} if scoring else {}),
        "selection": {name: seconds * repeats[name] for name, seconds in selection_cost.items()},
        "evaluations": trainer.evaluations,
        "history": trainer.history,
        **_schedule_log(trainer),
    }


def _schedule_log(trainer: Trainer) -> dict[str, Any]:
    """Return the values that changed over time, if any did."""
    log, groups = trainer.schedule_log, trainer.layer_groups
    if log is None:
        return {}
    return {"course": log if groups is None else {**log, "groups": groups.rows()}}


def _devices(trainer: Trainer) -> dict[str, int]:
    """Return the number of devices that trained together, if there were several."""
    count = trainer.engine.step.device_count
    return {"devices": count} if count > 1 else {}


def _gpu() -> dict[str, Any]:
    """Return which GPUs the process used, if any: runs on unlike ones are not compared by their seconds."""
    numbers = used_gpus()
    return {"gpu": " and ".join(dict.fromkeys(gpu_names())), "gpu_numbers": numbers} if numbers else {}


def _stalls(trainer: Trainer) -> dict[str, dict[str, float]]:
    """Return how often and how long the process stood still on the clock, if it did."""
    stalls = trainer.clock.stalls
    return {"stalls": {"count": len(stalls), "seconds": round(sum(stalls), 3)}} if stalls else {}


def _wrong_labels(trainer: Trainer, dataset: Dataset) -> dict[str, dict[str, float]]:
    """Return the share of wrong labels in the data and among the samples trained on, if any were made wrong."""
    train = dataset.train
    if dataset.true_labels is None or not isinstance(train, Split):
        return {}
    wrong, visits = np.asarray(train.y != dataset.true_labels), trainer.visits
    return {"wrong_labels": {"data": float(wrong.mean()), "trained": float(visits[wrong].sum() / max(visits.sum(), 1))}}


def _evaluate_test(trainer: Trainer, dataset: Dataset, reached: bool) -> dict[str, float]:
    """Read the test part once: with the weights at the crossing, else with those at the end."""
    model, last = trainer.model, trainer.model.get_weights()
    if reached and trainer.weights_at_target is not None:
        model.set_weights(trainer.weights_at_target)
    results = trainer.evaluate(*load_arrays(dataset.test))
    model.set_weights(last)
    return results


def _scored_batches(trainer: Trainer) -> float:
    """Return the number of scored pools, or of batches that were only scored; auxiliary models do not count."""
    selector, counts = trainer.selector, trainer.counts
    pool, cheap = selector.pool_size(trainer.batch_size), trainer.engine.step.cheap_model
    if pool is not None and selector.scoring is not None:
        counts = counts if cheap is None else {"scored": int(cheap.scored.numpy())}
        return counts["scored"] / selector.scoring.rows(pool, trainer.batch_size)
    if pool is not None and not selector.can_skip_scoring:
        return counts["steps"]
    return counts["scored"] / trainer.loop.width if selector.can_skip_scoring or selector.scores_excluded else 0


def _kept_share(trainer: Trainer) -> float:
    """Return the share of samples that plans kept of those they could train on; 1 for selectors that score pools."""
    loop, counts = trainer.loop, trainer.counts
    if counts["plans"] == 0 or trainer.selector.pool_size(trainer.batch_size) is not None:
        return 1.0
    weights = loop.state.plan.weights.numpy().reshape(loop.plan_steps, loop.width)
    rest = weights[int(loop.state.cursor.numpy()) : int(loop.state.plan.steps.numpy())]
    planned = counts["samples"] + int((rest > 0).sum())
    room = min(loop.plan_steps * loop.width, max(loop.n, loop.width))
    return min(1.0, planned / (counts["plans"] * room))
