"""Details of the samples chosen, for reports without the data: small images, and a map of a plane."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from batchsel.data import Dataset, Split
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.dataset_lookup import take_samples
from batchsel.training.trainer import Trainer

_IMAGES = 12
_MAX_SIDE = 64
"""Pixels of a side above which images are left out."""
_GRID = 72
_STAGES = 4


def sample_details(trainer: Trainer, dataset: Dataset, snapshots: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a record says about the samples themselves.

    Args:
        trainer: The trainer, after a run.
        dataset: The data.
        snapshots: Those that `Snapshots` took during the run.

    Returns:
        "images" for images, "plane" for points of a plane of which snapshots were taken, nothing for other data.
    """
    shape = dataset.input_shape
    if dataset.task == "classification" and len(shape) == 3 and max(shape[:2]) <= _MAX_SIDE and shape[2] in (1, 3):
        return {"images": _images(trainer.visits, dataset)}
    # A run that reaches its target early ends before the first stage: there is nothing to draw.
    if snapshots and (plane := _find_plane(dataset)) is not None:
        x = np.asarray(plane.x)
        low, high = x.min(axis=0), x.max(axis=0)
        points, labels = to_json(x.astype(np.float16)), to_json(np.asarray(plane.y, np.uint8))
        extent = [float(value) for value in (low[0], high[0], low[1], high[1])]
        return {"plane": {"points": points, "labels": labels, "extent": extent, "stages": snapshots}}
    return {}


def to_json(array: np.ndarray) -> dict[str, Any]:
    """Return an array as JSON.

    Args:
        array: Any numbers.

    Example:
        >>> to_json(np.array([1, 2], np.uint8))
        {'dtype': 'uint8', 'shape': [2], 'base64': 'AQI='}
    """
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": data}


def _images(visits: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    order = np.argsort(-visits, kind="stable")
    images = {}
    for name, rows in (("most", order[:_IMAGES]), ("least", order[::-1][:_IMAGES])):
        x, y = take_samples(dataset.train, rows)
        images[name] = {
            "pixels": to_json(_to_pixels(np.asarray(x))),
            "labels": [str(dataset.class_names[label]) for label in y],
            "visits": visits[rows].tolist(),
            "samples": rows.tolist(),
        }
    return images


def _to_pixels(x: np.ndarray) -> np.ndarray:
    if x.dtype == np.uint8:
        return x
    low, high = float(x.min()), float(x.max())
    return ((x - low) / max(high - low, 1e-9) * 255).astype(np.uint8)


def _find_plane(dataset: Dataset) -> Split | None:
    """Return the training part if its samples are points of a plane."""
    is_plane = dataset.input_shape == (2,) and dataset.task == "classification"
    return dataset.train if is_plane and isinstance(dataset.train, Split) else None


class Snapshots:
    """Snapshots, a few times in a run, of the samples chosen so far and of the model's decision boundary.

    Args:
        trainer: The trainer of the run.
        dataset: The data.
        budget: Budget of the run in text form.
    """

    def __init__(self, trainer: Trainer, dataset: Dataset, budget: str) -> None:
        self._trainer = trainer
        self._plane = _find_plane(dataset)
        self._budget = Budget.parse(budget)
        self.taken: list[dict[str, Any]] = []
        self._visits_before: np.ndarray | int = 0

    @property
    def has_plane(self) -> bool:
        """True if the data are points of a plane."""
        return self._plane is not None

    def take_if_due(self) -> None:
        """Take a snapshot if another stage has ended."""
        stage = len(self.taken)
        used = self._budget.share(self._trainer.progress, self._trainer.clock.training)
        due = used >= (stage + 1) / _STAGES * (1 - 1e-9)
        if self._plane is not None and stage < _STAGES and due:
            self._take(np.asarray(self._plane.x), self._trainer.counts["samples"])

    def _take(self, x: np.ndarray, samples: int) -> None:
        visits = self._trainer.visits
        low, high = x.min(axis=0), x.max(axis=0)
        columns, rows = (np.linspace(low[i], high[i], _GRID) for i in range(2))
        grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2).astype(np.float32)
        classes = np.asarray(self._trainer.model(grid, training=False)).argmax(axis=-1)
        self.taken.append(
            {
                "samples": samples,
                "visits": to_json((visits - self._visits_before).astype(np.uint16)),
                "classes": to_json(classes.reshape(_GRID, _GRID).astype(np.uint8)),
            }
        )
        self._visits_before = visits
