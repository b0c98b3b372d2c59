"""Carries out one run: data, model, training to the target, test, record."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.data import Dataset
from batchsel.errors import UserError
from batchsel.experiments import environment, records, sets
from batchsel.experiments.budget import Budget
from batchsel.experiments.spec import RunSpec, to_toml
from batchsel.files import replacing
from batchsel.models.compiled import compiled
from batchsel.training.callbacks import Watch, tensorboard
from batchsel.training.devices import devices, make_deterministic, threads
from batchsel.training.selection_cost import selection_seconds
from batchsel.training.target import Target, crossing
from batchsel.training.trainer import Trainer

HOLD = 2
CONFIG = "config.toml"
CHECKPOINT = "checkpoint.npz"


@dataclass(frozen=True)
class Surroundings:
    """What a run needs to know that does not change its results.

    Args:
        out: Folder of the runs.
        data_folder: Folder of the data, or None for the usual places.
        offline: Whether downloads are forbidden.
        resume: Whether to go on from the run's checkpoint.
        tensorboard: Whether to write TensorBoard logs into the run's folder.
        download_progress: Makes a progress bar for a label, or None.
        watch: Called with the state of the run, a dict, about twice a second and after each evaluation.
    """

    out: Path = Path("runs")
    data_folder: str | None = None
    offline: bool = False
    resume: bool = False
    tensorboard: bool = False
    download_progress: Callable[[str], Any] | None = None
    watch: Callable[[dict[str, Any]], None] | None = None


def run(spec: RunSpec, around: Surroundings = Surroundings()) -> dict[str, Any]:
    """Trains to the target or to the end of the budget, and appends a record.

    Args:
        spec: The settings.
        around: Folders, and who watches.

    Returns:
        The record.

    Raises:
        UserError: If anything the run needs is missing or wrong.
        KeyboardInterrupt: After Ctrl-C, once a checkpoint is written.
    """
    if spec.deterministic:
        make_deterministic()
    dataset = sets.load(spec.dataset, around.data_folder, around.offline, around.download_progress)
    trainer = _trainer(spec, dataset)
    folder = around.out / spec.identity()
    _open(folder, spec)
    if around.resume:
        trainer.resume(folder / CHECKPOINT)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    _fit(spec, around, trainer, dataset, folder)
    record = _record(spec, trainer, dataset, started)
    records.append(around.out, record)
    return record


def _trainer(spec: RunSpec, dataset: Dataset) -> Trainer:
    model = compiled(
        spec.model,
        dataset.input_shape,
        dataset.outputs,
        dataset.task,
        optimizer=spec.optimizer,
        learning_rate=spec.learning_rate,
        mixed_precision=spec.mixed_precision,
    )
    trainer = Trainer(
        model,
        spec.selector,
        batch_size=spec.batch_size,
        schedule=None if spec.schedule == "constant" else spec.schedule,
        compile=spec.compile,
    )
    trainer.reset(spec.seed)
    return trainer


def _open(folder: Path, spec: RunSpec) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror or error}. Free some space or choose another folder with --out."
        ) from error
    with replacing(folder / CONFIG) as beside:
        beside.write_text(to_toml(spec), "utf-8")


def _fit(spec: RunSpec, around: Surroundings, trainer: Trainer, dataset: Dataset, folder: Path) -> None:
    budget, n = Budget.parse(spec.budget), len(dataset.train)
    passes = budget.samples(n) / n
    every = 0.25 if budget.unit == "seconds" else passes / spec.evaluations
    callbacks = []
    if around.watch is not None:
        callbacks.append(Watch(around.watch, trainer))
    if around.tensorboard:
        callbacks.append(tensorboard(folder / "tensorboard"))
    trainer.fit(
        dataset.train.x,
        dataset.train.y,
        epochs=passes,
        validation_data=(dataset.validation.x, dataset.validation.y),
        evaluate_every=every,
        callbacks=callbacks,
        verbose=0,
        target=spec.target,
        hold=HOLD,
        seconds=budget.amount if budget.unit == "seconds" else None,
        checkpoint=folder / CHECKPOINT,
    )


def _record(spec: RunSpec, trainer: Trainer, dataset: Dataset, started: str) -> dict[str, Any]:
    target = Target.parse(spec.target)
    position = crossing([target.met(results) for results in trainer.evaluations], HOLD)
    end, counts = dict(trainer.clock.seconds), trainer.counts
    selection = selection_seconds(trainer, np.asarray(dataset.train.y))
    return {
        "schema": records.SCHEMA,
        "spec": spec.values(),
        "digest": spec.digest(),
        "started": started,
        "versions": environment.versions(),
        "machine": {**environment.machine(), "devices": devices(), "threads": threads()},
        "xla": trainer.xla,
        "sizes": {part: len(getattr(dataset, part)) for part in ("train", "validation", "test")},
        "parameters": trainer.model.count_params(),
        "reached": position is not None,
        "crossing": None if position is None else trainer.evaluations[position],
        "test": _test(trainer, dataset, position is not None),
        "counts": counts,
        "seconds": end,
        "selection": selection,
        "evaluations": trainer.evaluations,
        "history": trainer.history,
    }


def _test(trainer: Trainer, dataset: Dataset, reached: bool) -> dict[str, float]:
    """The test part is read once: with the weights at the crossing, else with those at the end."""
    model, last = trainer.model, trainer.model.get_weights()
    if reached and trainer.weights_at_target is not None:
        model.set_weights(trainer.weights_at_target)
    results = trainer.evaluate(dataset.test.x, dataset.test.y)
    model.set_weights(last)
    return results
