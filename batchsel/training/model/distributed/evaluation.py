"""Evaluation of a model on several devices."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.training.inputs.batch import Samples, gather_rows
from batchsel.training.loop.evaluation import Evaluation
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.distributed.train_step import ReplicaTrainStep


class ReplicaEvaluation(Evaluation):
    """Evaluation in the same batches as on one device, which the replicas take in turns.

    Where replicas have values of their own, such as the moving statistics of batch normalization, the first one
    evaluates alone: its values are those that the model has.

    Args:
        step: Holds the model and its replicas.
        batch_size: Rows of a forward pass; the last one may have fewer.
        xla: As for `Evaluation`.
        fall_back: As for `Evaluation`.
    """

    def __init__(self, step: TrainStep, batch_size: int, xla: bool, fall_back: bool = False) -> None:
        super().__init__(step, batch_size, xla, fall_back)
        assert isinstance(step, ReplicaTrainStep)
        self._replicas = step.replicas
        self._taking = step.replicas.count if _are_alike(step.model) else 1
        """Replicas that take part."""

    def _evaluate(self, data: Samples) -> dict[str, tf.Tensor]:
        """Let every replica evaluate every k-th batch."""
        n = tf.nest.flatten(data.x)[0].shape[0]
        size = min(self._batch_size, n)
        full, rest = divmod(n, size)

        def take(number: int) -> None:
            if number >= self._taking:
                return

            def body(batch: tf.Tensor) -> tuple[tf.Tensor]:
                self._add(gather_rows(data, batch * size + tf.range(size)))
                return (batch + self._taking,)

            tf.while_loop(lambda batch: batch < full, body, (tf.constant(number),), parallel_iterations=1)
            if rest and full % self._taking == number:
                self._add(gather_rows(data, tf.range(full * size, n)))

        self._replicas.run(take)
        return self._results({})

    def _add_alone(self, rows: Samples) -> dict[str, Any]:
        """Let the first replica add a batch."""

        def take(number: int) -> None:
            if number == 0:
                self._add(rows)

        self._replicas.run(take)
        return {}


def _are_alike(model: Any) -> bool:
    """Return whether all replicas of a model have the same values, but for the states of random generators."""
    return all("seed_generator" in variable.path for variable in model.non_trainable_variables)
