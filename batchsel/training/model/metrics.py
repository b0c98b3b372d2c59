"""The metrics of a Keras model: those it was compiled with, its mean loss, and those that layers add."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.errors import UserError
from batchsel.training.model.objective import Objective


class Metrics:
    """The metrics of a compiled model, updated as Keras does in its own steps.

    Args:
        model: A compiled Keras model.
        objective: Its loss.
    """

    def __init__(self, model: keras.Model, objective: Objective) -> None:
        self._model = model
        self._objective = objective
        self._container = keras_private.get_compiled_metrics(model)
        self._loss = keras_private.get_loss_tracker(model)
        self._own_update = keras_private.overrides(model, "compute_metrics")
        self._log_names: list[str] = []
        """Names of what `compute_metrics` of the model's own returns, if they are not those of the metrics."""
        self._own_logs: tf.Variable | None = None
        """``float32[names]`` what it returned last."""

    @property
    def objects(self) -> list[keras.metrics.Metric]:
        """All metric objects, the mean loss first."""
        others = [metric for metric in self._model.metrics if metric is not self._container]
        known = [*self._of_losses, *self._compiled, *others]
        return list({id(metric): metric for metric in known}.values())

    @property
    def _of_losses(self) -> list[keras.metrics.Metric]:
        """The mean loss, and the losses of the outputs."""
        return [self._loss, *keras_private.get_compiled_loss(self._model).metrics]

    @property
    def _compiled(self) -> list[Any]:
        """The metrics that the model was compiled with."""
        return [] if self._container is None else self._container.metrics

    def _are_beyond_rows(self) -> bool:
        """Return whether metrics are updated by the model's own code."""
        known = {*map(id, self._of_losses), *map(id, self._compiled)}
        return self._own_update or any(id(metric) not in known for metric in self.objects)

    @property
    def variables(self) -> list[Any]:
        """The variables of all metrics, each once."""
        members = [variable for metric in self.objects for variable in metric.variables]
        members += [] if self._own_logs is None else [self._own_logs]
        return list({id(member): member for member in members}.values())

    def build_compiled(self, y: Any, y_pred: Any) -> None:
        """Create the metrics that the model was compiled with, as Keras does when it sees its first batch.

        Args:
            y: Targets.
            y_pred: The model's outputs.
        """
        if self._container is not None and not self._container.built:
            self._container.build(y, y_pred)

    def update(
        self, loss: tf.Tensor, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, evaluation: bool = False
    ) -> None:
        """Update the metrics with a batch, all of whose rows count.

        Args:
            loss: ``float[]`` loss of the batch, without the weights of the selector.
            x: Inputs, first axis b.
            y: Targets.
            y_pred: The model's outputs.
            sample_weight: Weights that came with the data, for weighted metrics.
            evaluation: Whether the loss is one of `Objective.evaluation_total`.
        """
        self._loss.update_state(loss, sample_weight=tf.shape(tf.nest.flatten(x)[0])[0])
        self._objective.update_loss_metrics(evaluation)
        with ExitStack() as stack:
            self._share_losses(stack)
            if self._own_update:
                self._keep(self._model.compute_metrics(x, y, y_pred, sample_weight))
            elif self._container is not None:
                self._container.update_state(y, y_pred, sample_weight)

    def update_padded(
        self,
        loss: tf.Tensor,
        y: Any,
        y_pred: Any,
        valid: tf.Tensor,
        sample_weight: Any = None,
        count: tf.Tensor | None = None,
    ) -> None:
        """Update the metrics with a batch in which some rows do not count; only for metrics of `handles_padding`.

        Args:
            loss: ``float[]`` loss of the batch, without the weights of the selector.
            y: Targets, first axis b.
            y_pred: The model's outputs.
            valid: ``float32[b]``, 0 for padding rows.
            sample_weight: As in `update`, one number for each sample.
            count: ``float32[]`` rows that the loss is the mean of, unless it is that of those that count.
        """
        self._loss.update_state(loss, sample_weight=tf.reduce_sum(valid) if count is None else count)
        self._objective.update_loss_metrics()
        if self._container is None:
            return
        targets, outputs = (keras_private.flatten_outputs(self._container, values) for values in (y, y_pred))
        weights = _weights_by_output(sample_weight, valid, len(outputs))
        metrics = keras_private.list_metrics(self._container)
        for (plain, weighted), target, output, weight in zip(metrics, targets, outputs, weights, strict=True):
            for metric in plain:
                metric.update_state(target, output, sample_weight=valid)
            for metric in weighted:
                metric.update_state(target, output, sample_weight=weight)

    def handles_padding(self, outputs: Any) -> bool:
        """Return whether weights of 0 leave rows out of all compiled metrics exactly as if they were not there.

        Args:
            outputs: The model's outputs, of any number of rows.
        """
        leaves = tf.nest.flatten(outputs)
        if self._are_beyond_rows():
            return False
        if any(keras_private.get_mask(leaf) is not None for leaf in leaves):
            return False
        columns = {1 if leaf.shape.rank == 2 and leaf.shape[-1] == 1 else leaf.shape.rank for leaf in leaves}
        return all(keras_private.averages_rows(metric, max(columns)) for metric in self._compiled)

    def depend_on_batches(self) -> bool:
        """Return whether results may depend on how rows are divided into batches; the model must have been called.

        Metrics that are functions of a batch do, and so do averages over the steps of a batch, of which some are
        masked.
        """
        regularized = sum(getattr(weight, "regularizer", None) is not None for weight in self._model.trainable_weights)
        return (
            len(self._of_losses) > 1
            or self._are_beyond_rows()
            or self._objective.averages_batches
            or len(self._model.losses) > regularized
            or not all(map(keras_private.sums_rows, self._compiled))
        )

    def results(self) -> dict[str, tf.Tensor]:
        """Return the values, ``float32[]`` by Keras's names.

        Raises:
            UserError: If a metric returns several numbers.
        """
        if self._own_logs is not None:
            values = tf.unstack(self._own_logs.read_value(), len(self._log_names))
            return dict(zip(self._log_names, values, strict=True))
        found = flatten_results(self._model.get_metrics_result())
        names = [metric.name for metric in self._of_losses if metric.name in found]
        return {name: found[name] for name in dict.fromkeys([*names, *found])}

    def reset(self) -> None:
        """Reset all metrics."""
        self._model.reset_metrics()

    def _keep(self, logs: dict[str, Any]) -> None:
        """Keep what the model's own code returned for a batch, the logs of Keras, if that is more than its metrics."""
        if self._own_logs is None and logs.keys() == self._model.get_metrics_result().keys():
            return
        values = flatten_results(logs)
        if self._own_logs is None:  # for the first batch, before anything is traced
            self._log_names, self._own_logs = list(values), tf.Variable(tf.zeros([len(values)]), trainable=False)
        self._own_logs.assign(tf.stack([values[name] for name in self._log_names]))

    def _share_losses(self, stack: ExitStack) -> None:
        """Lend the losses of all steps to metrics that are functions of them, so that these compute nothing twice."""
        sharing = [metric for metric in self._compiled if hasattr(metric, "lend_losses")]
        losses = self._objective.element_losses() if sharing else None
        if losses is not None:
            for metric in sharing:
                stack.enter_context(metric.lend_losses(*losses))


def flatten_results(results: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Return results as ``float32[]`` by name, those of metrics with several named numbers too, as Keras logs them.

    Args:
        results: Numbers, or dicts of them, by name.

    Raises:
        UserError: If a metric returns several numbers without names.

    Example:
        >>> flatten_results({"loss": 2, "f1": {"macro": 0.5}})["macro"].numpy().item()
        0.5
    """
    return {name: _to_number(name, value) for name, value in _flatten(results)}


def _flatten(results: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in results.items():
        if isinstance(value, dict):
            yield from _flatten(value)
        else:
            yield name, value


def _to_number(name: str, value: Any) -> tf.Tensor:
    number = tf.cast(tf.convert_to_tensor(value), tf.float32)
    if number.shape.num_elements() == 1:
        number = tf.reshape(number, [])  # as of keras.metrics.F1Score on one output
    if number.shape.rank != 0:
        raise UserError(
            f"metric {name!r} returns {number.shape.num_elements()} numbers; batchsel records one for each metric."
            " Let it average, as in keras.metrics.F1Score(average='macro'), or return them in a dict by name."
        )
    return number


def _weights_by_output(sample_weight: Any, valid: tf.Tensor, outputs: int) -> list[tf.Tensor]:
    if sample_weight is None:
        return [valid] * outputs
    flat = tf.nest.flatten(sample_weight)
    flat = flat if len(flat) == outputs else flat[:1] * outputs
    return [valid * tf.reshape(tf.cast(weight, tf.float32), [-1]) for weight in flat]
