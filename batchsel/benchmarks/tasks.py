"""Data and sizes of the benchmarks' tasks, for every framework. Needs NumPy only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Task:
    """Random data of a task, and how a model is trained on them.

    Args:
        name: Short name.
        title: Description for tables.
        n: Samples.
        batch_size: b.
        passes: Passes of one call of fit.
        data: Creates ``(x, y)`` of n samples.

    Example:
        >>> TASKS["cnn"].steps, TASKS["cnn"].quick().steps
        (469, 4)
    """

    name: str
    title: str
    n: int
    batch_size: int
    passes: int
    data: Callable[[int], tuple[np.ndarray, np.ndarray]]

    @property
    def steps(self) -> int:
        """Steps of one call of fit."""
        return -(-self.n // self.batch_size) * self.passes

    def quick(self) -> Task:
        """Return the task with few samples and passes, which takes seconds."""
        n, passes = _QUICK[self.name]
        return dataclasses.replace(self, n=n, passes=passes)


def _points(n: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int32)


def _images(n: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (n, 28, 28, 1), np.uint8), generator.integers(0, 10, n, np.int32)


def _tokens(n: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.integers(0, 5000, (n, 40), np.int32), generator.integers(0, 2, n, np.int32)


TASKS = {
    "mlp": Task("mlp", "MLP 2-64-64-2", 2048, 32, 20, _points),
    "cnn": Task("cnn", "CNN 32-64-128 on 28x28", 60_000, 128, 1, _images),
    "lstm": Task("lstm", "LSTM 64 on 40 tokens", 12_800, 128, 1, _tokens),
}
_QUICK = {"mlp": (512, 2), "cnn": (512, 1), "lstm": (256, 1)}
"""Samples and passes of a quick run."""
