"""Evaluation by the test step of a model whose loss is not known for each sample."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.training.inputs.batch import Samples, as_keras_data
from batchsel.training.loop.evaluation import Evaluation
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.own_step.metrics import OwnMetrics


class OwnEvaluation(Evaluation):
    """Evaluation as `model.evaluate` does it, by the model's `test_step`.

    Args:
        step: Holds the model and its metrics.
        batch_size: Rows of a step; the last one may have fewer.
        xla: As for `Evaluation`.
        fall_back: As for `Evaluation`.
    """

    def __init__(self, step: TrainStep, batch_size: int, xla: bool, fall_back: bool = False) -> None:
        super().__init__(step, batch_size, xla, fall_back)
        self._own_step = True

    def _add(self, rows: Samples) -> dict[str, Any]:
        return self._step.model.test_step(as_keras_data(rows))

    def _results(self, logs: dict[str, Any]) -> dict[str, tf.Tensor]:
        metrics: Any = self._step.metrics
        assert isinstance(metrics, OwnMetrics)
        return metrics.results_or(logs)
