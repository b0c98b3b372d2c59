"""Loss and metrics over a whole data set, in one traced call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from batchsel.training.inputs.batch import Samples, gather_rows
from batchsel.training.loop.train_step import TrainStep


class Evaluation:
    """Evaluation of a model with its compiled loss and metrics, as `model.evaluate` does.

    A `batchsel.SmoothedCrossentropy` is evaluated without its smoothing, which belongs to training.

    The metric objects are those of training; their values are restored afterwards.

    Args:
        step: Holds the model, its objective and its metrics.
        batch_size: Rows of a forward pass.
        xla: Whether to compile with XLA.
    """

    def __init__(self, step: TrainStep, batch_size: int, xla: bool) -> None:
        self._step = step
        self._batch_size = batch_size
        self._xla = xla
        self._functions: dict[Any, Callable[[Samples], dict[str, tf.Tensor]]] = {}

    def __call__(self, data: Samples) -> dict[str, float]:
        """Return the mean loss (with regularizers, as Keras reports it) and the metrics by name.

        Args:
            data: Inputs, targets and weights, first axis of any length.
        """
        variables = [variable for metric in self._step.metrics.objects for variable in metric.variables]
        values = [variable.numpy() for variable in variables]
        self._step.metrics.reset()
        results = {name: float(value) for name, value in self._function(data)(data).items()}
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return results

    def _function(self, data: Samples) -> Callable[[Samples], dict[str, tf.Tensor]]:
        """Return a separate function for each object and each shape of data, such as the parts of a data set.

        TensorFlow warns of many traces of the same code, whatever object the code is bound to; a partial has none.
        """
        leaves = tf.nest.flatten(data)
        signature = tuple(None if leaf is None else (leaf.dtype, tuple(leaf.shape)) for leaf in leaves)
        if signature not in self._functions:
            evaluate = partial(self._evaluate)
            self._functions[signature] = tf.function(evaluate, jit_compile=self._xla, autograph=False)
        return self._functions[signature]

    def _evaluate(self, data: Samples) -> dict[str, tf.Tensor]:
        n = tf.nest.flatten(data.y)[0].shape[0]
        size = min(self._batch_size, n)

        def body(start: tf.Tensor) -> tuple[tf.Tensor]:
            positions = start + tf.range(size)
            self._add(gather_rows(data, tf.minimum(positions, n - 1)), tf.cast(positions < n, tf.float32))
            return (start + size,)

        tf.while_loop(lambda start: start < n, body, (tf.constant(0),), parallel_iterations=1)
        return self._step.metrics.results()

    def _add(self, rows: Samples, valid: tf.Tensor) -> None:
        """Add a batch to the metrics."""
        objective = self._step.objective
        outputs = self._step.model(rows.x, training=False)
        losses = objective.evaluation_losses(rows.y, outputs, rows.sample_weight)
        count = tf.maximum(tf.reduce_sum(valid), 1.0)
        loss = tf.reduce_sum(losses * valid) / count + objective.regularization_loss()
        self._step.metrics.update(loss, losses, rows.y, outputs, valid, rows.sample_weight)
