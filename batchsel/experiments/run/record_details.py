"""What was chosen, in a form that a report can show without the data: small pictures, and a map of a plane."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from batchsel.data import Dataset, Part
from batchsel.experiments.spec.dataset_lookup import some
from batchsel.training.trainer import Trainer

_PICTURES = 12
_LARGEST = 64
"""Pixels of a side, beyond which pictures are left out."""
_GRID = 72
_STAGES = 4


def details(trainer: Trainer, dataset: Dataset, stages: list[dict[str, Any]]) -> dict[str, Any]:
    """What a record says of the samples themselves.

    Args:
        trainer: After a run.
        dataset: The data.
        stages: What `Stages` noted on the way.

    Returns:
        "images" for images, "plane" for points of a plane, nothing for other data.
    """
    shape = dataset.input_shape
    if dataset.task == "classification" and len(shape) == 3 and max(shape[:2]) <= _LARGEST and shape[2] in (1, 3):
        return {"images": _images(trainer.visits, dataset)}
    if _is_plane(dataset):
        x = np.asarray(dataset.train.x)
        low, high = x.min(axis=0), x.max(axis=0)
        points, labels = packed(x.astype(np.float16)), packed(np.asarray(dataset.train.y, np.uint8))
        extent = [float(value) for value in (low[0], high[0], low[1], high[1])]
        return {"plane": {"points": points, "labels": labels, "extent": extent, "stages": stages}}
    return {}


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON.

    Args:
        array: Any numbers.

    Example:
        >>> packed(np.array([1, 2], np.uint8))
        {'dtype': 'uint8', 'shape': [2], 'base64': 'AQI='}
    """
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": data}


def _images(visits: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    order = np.argsort(-visits, kind="stable")
    shown = {}
    for name, rows in (("most", order[:_PICTURES]), ("least", order[::-1][:_PICTURES])):
        x, y = some(dataset.train, rows)
        shown[name] = {
            "pixels": packed(_pixels(np.asarray(x))),
            "labels": [str(dataset.class_names[label]) for label in y],
            "visits": visits[rows].tolist(),
            "samples": rows.tolist(),
        }
    return shown


def _pixels(x: np.ndarray) -> np.ndarray:
    if x.dtype == np.uint8:
        return x
    low, high = float(x.min()), float(x.max())
    return ((x - low) / max(high - low, 1e-9) * 255).astype(np.uint8)


def _is_plane(dataset: Dataset) -> bool:
    return dataset.input_shape == (2,) and dataset.task == "classification" and isinstance(dataset.train, Part)


class Stages:
    """Notes a few times in a run what was chosen so far and where the model draws its boundary.

    Args:
        trainer: The trainer of the run.
        dataset: The data.
        budget: Samples that the run will be trained on at most.
    """

    def __init__(self, trainer: Trainer, dataset: Dataset, budget: int) -> None:
        self._trainer = trainer
        self._dataset = dataset
        self._limits = [budget * (place + 1) / _STAGES for place in range(_STAGES)]
        self.noted: list[dict[str, Any]] = []
        self._before = 0

    @property
    def wanted(self) -> bool:
        """Whether the data have a plane to draw."""
        return _is_plane(self._dataset)

    def look(self) -> None:
        """Notes the state if another stage has ended."""
        samples = self._trainer.counts["samples"]
        place = len(self.noted)
        if place < _STAGES and samples >= self._limits[place] * (1 - 1e-9):
            self.note(samples)

    def note(self, samples: int) -> None:
        """Notes the state.

        Args:
            samples: Samples trained on so far.
        """
        visits = self._trainer.visits
        x = np.asarray(self._dataset.train.x)
        low, high = x.min(axis=0), x.max(axis=0)
        columns, rows = (np.linspace(low[i], high[i], _GRID) for i in range(2))
        grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2).astype(np.float32)
        classes = np.asarray(self._trainer.model(grid, training=False)).argmax(axis=-1)
        self.noted.append(
            {
                "samples": samples,
                "visits": packed((visits - self._before).astype(np.uint16)),
                "classes": packed(classes.reshape(_GRID, _GRID).astype(np.uint8)),
            }
        )
        self._before = visits
