"""The metrics of a model that updates them in its own steps, and the logs that its steps return."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.training.model.metrics import Metrics, flatten_results


class OwnMetrics(Metrics):
    """The metrics of a model, as Keras reads them after its steps.

    As in Keras, the results are those of the metrics, or the logs of the last step if these have other names.

    Args:
        model: A compiled Keras model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._names: list[str] = []
        """Names of the logs, if they are not those of the metrics."""
        self._last = tf.Variable(tf.zeros([0]), trainable=False)
        """``float32[names]`` logs of the last step."""

    @property
    def objects(self) -> list[keras.metrics.Metric]:
        """All metrics that the model lists, and its mean loss."""
        listed = [*self._model.metrics, keras_private.get_loss_tracker(self._model)]
        return list({id(metric): metric for metric in listed if metric is not None}.values())

    @property
    def variables(self) -> list[Any]:
        """The variables of the metrics that the model lists, each once, and the logs of the last step."""
        members = [variable for metric in self._model.metrics for variable in metric.variables]
        return [*{id(member): member for member in members}.values(), self._last]

    def build(self, logs: dict[str, Any]) -> None:
        """Prepare to keep the logs, if they have other names than the metrics; called while a step is traced.

        Args:
            logs: As a train step returns them.

        Raises:
            UserError: If an entry is not one number.
        """
        names = list(flatten_results(logs))
        if logs.keys() != self._model.get_metrics_result().keys() and names != self._names:
            with tf.init_scope():
                self._names, self._last = names, tf.Variable(tf.zeros([len(names)]), trainable=False)

    def keep(self, logs: dict[str, Any]) -> None:
        """Keep the logs of a step, if they are the results.

        Args:
            logs: As the train step returns them.
        """
        if self._names:
            values = flatten_results(logs)
            self._last.assign(tf.stack([values[name] for name in self._names]))

    def results(self) -> dict[str, tf.Tensor]:
        """Return the results of training, ``float32[]`` by name."""
        if self._names:
            return dict(zip(self._names, tf.unstack(self._last.read_value(), len(self._names)), strict=True))
        return flatten_results(self._model.get_metrics_result())

    def results_or(self, logs: dict[str, Any]) -> dict[str, tf.Tensor]:
        """Return the results of an evaluation, ``float32[]`` by name.

        Args:
            logs: As the last test step returned them.
        """
        results = self._model.get_metrics_result()
        return flatten_results(results if results.keys() == logs.keys() else logs)
