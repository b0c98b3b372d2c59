"""A map of a data set: what runs of plain shuffling say of every sample."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.files import atomic_write
from batchsel.errors import UserError
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.dataset_lookup import whole
from batchsel.experiments.spec.spec import RunSpec

_COUNTED = ("times", "forgotten")


class DatasetMap(NamedTuple):
    """What is known of each sample of the training part, ``[n]`` each; of several models the mean, or the sum."""

    label: np.ndarray
    """Class number."""
    times: np.ndarray
    """How often it was trained on, by all models together."""
    confidence: np.ndarray
    """Mean probability of its class."""
    variability: np.ndarray
    """Standard deviation of that probability."""
    correctness: np.ndarray
    """Share of times that it was classified rightly."""
    forgotten: np.ndarray
    """Forgetting events, wrong after right, of all models together."""
    el2n: np.ndarray
    """Mean norm of p − y early in training."""
    loss: np.ndarray
    """Last known loss."""

    def suspects(self) -> np.ndarray:
        """The samples in the order in which their labels are worth a look: least confidence in the label first."""
        return np.argsort(self.confidence, kind="stable")


def draw_map(spec: RunSpec, run_cache: RunCache, models: int = 1) -> DatasetMap:
    """Trains with the selector `mapping` and reads its state.

    Args:
        spec: The settings; their selector is `mapping`, and their task a classification.
        run_cache: Makes data and trainer.
        models: Models to train, with the spec's seed and those after it.

    Raises:
        UserError: If the data set is no classification, or cannot be had.
    """
    dataset = run_cache.data_of(spec)
    if dataset.task != "classification":
        raise UserError(f"a map needs classes; {spec.dataset} is a {dataset.task}.")
    maps = [_of_a_model(dataclasses.replace(spec, seed=spec.seed + place), run_cache) for place in range(models)]
    return DatasetMap(maps[0].label, *(_joined(maps, column) for column in DatasetMap._fields[1:]))


def _joined(maps: list[DatasetMap], column: str) -> np.ndarray:
    values = [getattr(found, column) for found in maps]
    return np.sum(values, axis=0) if column in _COUNTED else np.mean(values, axis=0)


def _of_a_model(spec: RunSpec, run_cache: RunCache) -> DatasetMap:
    dataset, trainer = run_cache.data_of(spec), run_cache.trainer(spec)
    x, y = whole(dataset.train)
    trainer.fit(x, y, epochs=Budget.parse(spec.budget).samples(len(y)) / len(y), verbose=0)
    course = [leaf.numpy() for leaf in trainer.loop.state.state]
    times, confidence, squares, right, forgotten, _, error, _ = course
    seen = np.maximum(times, 1)
    return DatasetMap(
        np.asarray(y).reshape(len(y), -1)[:, 0],
        times.astype(int),
        confidence,
        np.sqrt(np.maximum(squares, 0) / seen),
        right / seen,
        forgotten.astype(int),
        error,
        trainer.losses,
    )


def write_csv(path: Path, found: DatasetMap) -> None:
    """Writes a line a sample.

    Args:
        path: The file.
        found: The map.
    """
    with atomic_write(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("sample", *DatasetMap._fields))
        for sample, row in enumerate(zip(*found, strict=True)):
            writer.writerow((sample, *map(_short, row)))


def _short(value: Any) -> str:
    return str(value) if isinstance(value, np.integer) else f"{value:.6g}"
