"""Loss and metrics over a whole data set, in one traced call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.training.loop.train_step import Rows, Step
from batchsel.training.loop.turn import gather_rows


class Evaluation:
    """Evaluates a model with its compiled loss and metrics, as `model.evaluate` does.

    A `batchsel.SmoothedCrossentropy` is evaluated without its smoothing, which belongs to training.

    The metric objects are those of training; what they had gathered is put back afterwards.

    Args:
        step: Holds the model, its objective and its metrics.
        batch_size: Rows of a forward pass.
        xla: Whether to compile with XLA.
    """

    def __init__(self, step: Step, batch_size: int, xla: bool) -> None:
        self._step = step
        self._batch_size = batch_size
        self._xla = xla
        self._runs: dict[Any, Callable[[Rows], dict[str, tf.Tensor]]] = {}

    def __call__(self, data: Rows) -> dict[str, float]:
        """The mean loss (with regularizers, as Keras reports it) and the metrics by name.

        Args:
            data: Inputs, targets and weights, first axis of any length.
        """
        variables = [variable for metric in self._step.metrics.objects for variable in metric.variables]
        gathered = [variable.numpy() for variable in variables]
        self._step.metrics.reset()
        results = {name: float(value) for name, value in self._run(data)(data).items()}
        for variable, value in zip(variables, gathered, strict=True):
            variable.assign(value)
        return results

    def _run(self, data: Rows) -> Callable[[Rows], dict[str, tf.Tensor]]:
        """A function of its own for each object and each form of data, such as the parts of a data set.

        TensorFlow warns of many traces of the same code, whatever object the code is bound to; a partial has none.
        """
        form = tuple(None if leaf is None else (leaf.dtype, tuple(leaf.shape)) for leaf in tf.nest.flatten(data))
        if form not in self._runs:
            self._runs[form] = tf.function(partial(self._traced), jit_compile=self._xla, autograph=False)
        return self._runs[form]

    def _traced(self, data: Rows) -> dict[str, tf.Tensor]:
        n = tf.nest.flatten(data.y)[0].shape[0]
        size = min(self._batch_size, n)

        def body(start: tf.Tensor) -> tuple[tf.Tensor]:
            places = start + tf.range(size)
            self._add(gather_rows(data, tf.minimum(places, n - 1)), tf.cast(places < n, tf.float32))
            return (start + size,)

        tf.while_loop(lambda start: start < n, body, (tf.constant(0),), parallel_iterations=1)
        return self._step.metrics.results()

    def _add(self, rows: Rows, valid: tf.Tensor) -> None:
        objective = self._step.objective
        outputs = self._step.model(rows.x, training=False)
        losses = objective.evaluation_losses(rows.y, outputs, rows.sample_weight)
        count = tf.maximum(tf.reduce_sum(valid), 1.0)
        loss = tf.reduce_sum(losses * valid) / count + objective.regularization_loss()
        self._step.metrics.update(loss, losses, rows.y, outputs, valid, rows.sample_weight)


def to_tensors(x: object, y: object, sample_weight: object = None) -> Rows:
    """Data on the device.

    Args:
        x: Inputs: an array, or a nest of arrays with the same first axis.
        y: Targets, likewise.
        sample_weight: Weights, likewise, or None.

    Returns:
        The same as tensors; float64 becomes float32, as in Keras.

    Example:
        >>> to_tensors(np.zeros([2, 3]), np.zeros([2], "int64")).x.dtype.name
        'float32'
    """
    return Rows(*(None if part is None else tf.nest.map_structure(_tensor, part) for part in (x, y, sample_weight)))


def _tensor(array: object) -> tf.Tensor:
    if isinstance(array, tf.Tensor):
        return tf.cast(array, tf.float32) if array.dtype == tf.float64 else array
    array = np.asarray(array)
    return tf.constant(array.astype(np.float32) if array.dtype == np.float64 else array)
