"""Data map: what training with plain shuffling shows about every sample."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.data.dataset import Dataset
from batchsel.errors import UserError
from batchsel.experiments.run.run_cache import RunCache
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.dataset_lookup import load_arrays
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.training.diagnostics.gradient_norms import EarlyGradientNorms

_SUMMED = ("times", "forgotten")


class DatasetMap(NamedTuple):
    """Statistics of each sample of the training part, ``[n]`` each; of several models the mean, or the sum."""

    label: np.ndarray
    """Class number."""
    times: np.ndarray
    """Times it was trained on, by all models together."""
    confidence: np.ndarray
    """Mean probability of its class."""
    variability: np.ndarray
    """Standard deviation of that probability."""
    correctness: np.ndarray
    """Share of times that it was classified correctly."""
    forgotten: np.ndarray
    """Forgetting events, wrong after right, of all models together; where a model was never right, the times that it
    was trained on, which no other sample reaches."""
    el2n: np.ndarray
    """Norm of p − y under the model early in training."""
    loss: np.ndarray
    """Last known loss."""

    def suspects(self) -> np.ndarray:
        """Return the samples in the order in which to check their labels: least confidence first."""
        return np.argsort(self.confidence, kind="stable")


def draw_map(spec: RunSpec, run_cache: RunCache, models: int = 1) -> DatasetMap:
    """Train with the selector `mapping` and read its state.

    Args:
        spec: The settings; their selector is `mapping`, and their task a classification.
        run_cache: Cache that creates data and trainer.
        models: Models to train, with the spec's seed and those after it.

    Raises:
        UserError: If the data set is not a classification, or cannot be loaded.
    """
    dataset = run_cache.dataset(spec)
    if dataset.task != "classification":
        raise UserError(f"a map needs classes; {spec.dataset} is a {dataset.task}.")
    maps = [_map_one_model(dataclasses.replace(spec, seed=spec.seed + place), run_cache) for place in range(models)]
    return DatasetMap(maps[0].label, *(_combine(maps, column) for column in DatasetMap._fields[1:]))


def _combine(maps: list[DatasetMap], column: str) -> np.ndarray:
    values = [getattr(each, column) for each in maps]
    return np.sum(values, axis=0) if column in _SUMMED else np.mean(values, axis=0)


def _map_one_model(spec: RunSpec, run_cache: RunCache) -> DatasetMap:
    dataset, trainer = run_cache.dataset(spec), run_cache.trainer(spec)
    x, y = load_arrays(dataset.train)
    early = EarlyGradientNorms(trainer, x, y, trainer.selector.early)
    length: dict[str, Any] = Budget.parse(spec.budget).fit_options(len(y))
    trainer.fit(x, y, **length, callbacks=[early], verbose=0)
    times, confidence, squares, right, forgotten, _ = [leaf.numpy() for leaf in trainer.loop.state.state]
    seen = np.maximum(times, 1)
    return DatasetMap(
        np.asarray(y).reshape(len(y), -1)[:, 0],
        times.astype(int),
        confidence,
        np.sqrt(np.maximum(squares, 0) / seen),
        right / seen,
        np.where(right > 0, forgotten, times).astype(int),
        early.norms,
        trainer.losses,
    )


def write_csv(path: Path, dataset_map: DatasetMap, dataset: Dataset) -> None:
    """Write one line per sample: its statistics, and what finds it again in the data.

    Columns beside those of `DatasetMap` are the number of the sample in the training part, the name of its class, its
    row in the files of the data where those are known, and its text if it is one.

    Args:
        path: The file.
        dataset_map: The statistics.
        dataset: The data.
    """
    columns: dict[str, Any] = {"sample": range(len(dataset_map.label)), **dataset_map._asdict()}
    columns["class"] = [dataset.class_names[label] for label in dataset_map.label]
    if dataset.rows is not None:
        columns["row"] = dataset.rows.train
    if dataset.encoder is not None and dataset.raw is not None:
        columns["text"] = dataset.raw_inputs("train").tolist()
    with atomic_write(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(map(_format, row) for row in zip(*columns.values(), strict=True))


def _format(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
