"""Loss and metrics over a whole data set, in one traced call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.tf_support.own_function import own_function
from batchsel.core.tf_support.replicated import read_replicas, write_replicas
from batchsel.training.inputs.batch import Samples, gather_rows
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.metrics import flatten_results

XLA_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)
"""Raised where XLA cannot compile an operation, such as Python code or strings."""


class Evaluation:
    """Evaluation of a model with its compiled loss and metrics, as `model.evaluate` does, or with its own `test_step`.

    A `batchsel.SmoothedCrossentropy` is evaluated without its smoothing, which belongs to training.

    The metric objects are those of training.

    Args:
        step: Holds the model, its objective and its metrics.
        batch_size: Rows of a forward pass; the last one may have fewer.
        xla: Whether to compile with XLA.
        fall_back: Whether to go on without XLA where it cannot compile the model or its metrics.
    """

    def __init__(self, step: TrainStep, batch_size: int, xla: bool, fall_back: bool = False) -> None:
        self._step = step
        self._batch_size = batch_size
        self._xla = xla
        self._fall_back = fall_back
        self._own_step = keras_private.overrides(step.model, "test_step")
        self._functions: dict[Any, Callable[[Samples], dict[str, tf.Tensor]]] = {}
        self._batch_functions: dict[int, Callable[[Samples], dict[str, tf.Tensor]]] = {}

    def __call__(self, data: Samples) -> dict[str, float]:
        """Return the mean loss (with regularizers, as Keras reports it) and the metrics by name.

        The metrics have the values that they had before again afterwards.

        Args:
            data: Inputs, targets and weights, first axis of any length.
        """
        with self._values_kept():
            return self.evaluate(data)

    def evaluate(self, data: Samples) -> dict[str, float]:
        """Return the same as a call, and leave the metrics with the values of the evaluation, as Keras does.

        Args:
            data: As for a call.
        """
        try:
            return self._evaluate_once(data)
        except XLA_ERRORS:
            if not (self._xla and self._fall_back):
                raise
            self._xla, self._functions = False, {}
            return self._evaluate_once(data)

    @contextmanager
    def _values_kept(self) -> Iterator[None]:
        """Give the metrics the values that they have now again at the end."""
        variables = self._step.metrics.variables
        values = [read_replicas(variable) for variable in variables]
        try:
            yield
        finally:
            for variable, value in zip(variables, values, strict=True):
                write_replicas(variable, value)

    def _evaluate_once(self, data: Samples) -> dict[str, float]:
        self._step.metrics.reset()
        with self._step.scope():
            return {name: float(value) for name, value in self._function(data)(data).items()}

    def in_batches(
        self,
        data: Samples,
        batch_size: int,
        begin: Callable[[int], None],
        end: Callable[[int, dict[str, float]], Any],
        execution: int = 1,
    ) -> dict[str, float]:
        """Return the same as `evaluate`, batch by batch, with hooks before and after each.

        Args:
            data: As for a call.
            batch_size: Rows of a batch.
            begin: Called with the number of a batch before it.
            end: Called with its number and the results so far after it; the evaluation ends where it returns True.
            execution: Batches of a group that has hooks before its first and after its last one only, as in Keras with
                ``steps_per_execution``.
        """
        n = int(tf.nest.flatten(data.x)[0].shape[0])
        results: dict[str, float] = {}
        self._step.metrics.reset()
        for number, start in enumerate(range(0, n, batch_size)):
            if number % execution == 0:
                begin(number)
            rows = gather_rows(data, tf.range(start, min(start + batch_size, n)))
            results = {name: float(value) for name, value in self._batch(rows).items()}
            # Keras numbers those of an execution in full, also where the data end before.
            last = number + -(number + 1) % execution
            if (number == last or start + batch_size >= n) and end(last, results):
                break
        return results

    def _batch(self, rows: Samples) -> dict[str, tf.Tensor]:
        """Add a batch to the metrics in a traced call, and return the results so far."""
        size = tf.nest.flatten(rows.x)[0].shape[0]
        if size not in self._batch_functions:

            def add(rows: Samples) -> dict[str, tf.Tensor]:
                return self._results(self._add_alone(rows))

            self._batch_functions[size] = own_function(add)
        with self._step.scope():
            return self._batch_functions[size](rows)

    def _function(self, data: Samples) -> Callable[[Samples], dict[str, tf.Tensor]]:
        """Return a separate function for each object and each shape of data, such as the parts of a data set."""
        leaves = tf.nest.flatten(data)
        signature = tuple(None if leaf is None else (leaf.dtype, tuple(leaf.shape)) for leaf in leaves)
        if signature not in self._functions:
            self._functions[signature] = own_function(self._evaluate, jit_compile=self._xla)
        return self._functions[signature]

    def _evaluate(self, data: Samples) -> dict[str, tf.Tensor]:
        """Evaluate full batches in a loop, then the last one, which may be short, so that no batch is filled up."""
        n = tf.nest.flatten(data.x)[0].shape[0]
        size = min(self._batch_size, n)
        # The results of a test step of its own are those of the last batch, which is then traced separately.
        full = (n - 1) // size if self._own_step else n // size

        def body(number: tf.Tensor) -> tuple[tf.Tensor]:
            self._add(gather_rows(data, number * size + tf.range(size)))
            return (number + 1,)

        tf.while_loop(lambda number: number < full, body, (tf.constant(0),), parallel_iterations=1)
        logs = self._add(gather_rows(data, tf.range(full * size, n))) if full * size < n else {}
        return self._results(logs)

    def _add_alone(self, rows: Samples) -> dict[str, Any]:
        """Add a batch that is evaluated in a call of its own."""
        return self._add(rows)

    def _add(self, rows: Samples) -> dict[str, Any]:
        """Add a batch to the metrics, and return the results of a test step of the model's own."""
        model, objective = self._step.model, self._step.objective
        if self._own_step:
            return model.test_step(tuple(rows if rows.sample_weight is not None else rows[:2]))
        outputs = keras_private.call_model(model, rows.x, training=False)
        loss = objective.evaluation_total(rows.y, outputs, rows.sample_weight)
        if self._step.device_count > 1:
            loss *= self._step.device_count  # Keras divides it by their number
        loss += tf.cast(objective.regularization_loss(), loss.dtype)
        self._step.metrics.update(loss, rows.x, rows.y, outputs, rows.sample_weight, evaluation=True)
        return {}

    def _results(self, logs: dict[str, Any]) -> dict[str, tf.Tensor]:
        """Return the values of the metrics; those of the last batch if its names differ, as Keras does."""
        results = self._step.metrics.results()
        if not self._own_step or logs.keys() == self._step.model.get_metrics_result().keys():
            return results
        return flatten_results(logs)
