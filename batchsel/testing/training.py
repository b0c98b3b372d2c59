"""Checks of a selector in a short training run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from batchsel.selectors import Selector
from batchsel.testing.failure import fail
from batchsel.testing.fixtures import CLASSES, padded_sequences
from batchsel.training.trainer import Trainer

_N, _BATCH_SIZE = 50, 8


class _Run(NamedTuple):
    history: dict[str, list[float]]
    weights: list[np.ndarray]
    state: list[np.ndarray]
    counts: dict[str, int]


class _SaveAt(keras.callbacks.Callback):
    """Callback that saves the trainer after a number of steps and stops training."""

    def __init__(self, trainer: Trainer, step: int, path: Path) -> None:
        super().__init__()
        self._trainer, self._step, self._path = trainer, step, path

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._trainer.counts["steps"] == self._step:
            self._trainer.save(self._path)
            self._trainer.model.stop_training = True


def check_training(selector: Selector) -> None:
    """Check a short training run: one trace, the same results for the same seed, and after a resume."""
    trainer = Trainer(_model(), selector, batch_size=_BATCH_SIZE)
    first = _run(trainer, seed=1)
    if not np.isfinite(first.history["loss"]).all():
        problem = f"the training loss must stay finite, got {first.history['loss']}."
        fail(selector, "training", problem, "Look for large weights.")
    _run(trainer, seed=2)
    if not _same(first, _run(trainer, seed=1)):
        problem = "two runs with the same seed must be equal to the last bit, and are not."
        fail(selector, "training", problem, "Take random numbers from context.rng only, and keep memory in the state.")
    traces = trainer.loop.trace_count()
    if traces != 1:
        problem = f"the loop must be traced once for all runs, and was traced {traces} times."
        fail(selector, "training", problem, "Keep shapes and types of the state static.")
    _check_resume(selector, trainer, first)


def _check_resume(selector: Selector, trainer: Trainer, expected: _Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "half.npz")
        _run(trainer, seed=1, callbacks=[_SaveAt(trainer, expected.counts["steps"] // 2, path)])
        _run(trainer, seed=3)
        trainer.resume(path)
        found = _fit(trainer)
    if not _same(expected, found):
        problem = "a run resumed from a checkpoint must end as one without a break, and does not."
        fail(selector, "resume", problem, "Keep everything it remembers in the state, which checkpoints hold.")


def _model() -> keras.Model:
    inputs = padded_sequences(1).shape[1]
    layers = [keras.Input((inputs,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(CLASSES)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def _run(trainer: Trainer, seed: int, **options: Any) -> _Run:
    trainer.reset(seed)
    return _fit(trainer, **options)


def _fit(trainer: Trainer, **options: Any) -> _Run:
    x, y = padded_sequences(_N).astype(np.float32) / 8, np.arange(_N) % CLASSES
    history = trainer.fit(x, y, epochs=2, verbose=0, **options).history
    state = [leaf.numpy() for leaf in tf.nest.flatten(trainer.loop.state)]
    return _Run(history, trainer.model.get_weights(), state, trainer.counts)


def _same(first: _Run, second: _Run) -> bool:
    arrays = zip([*first.weights, *first.state], [*second.weights, *second.state], strict=True)
    same = all(np.array_equal(left, right, equal_nan=left.dtype.kind == "f") for left, right in arrays)
    return same and first.history == second.history and first.counts == second.counts
