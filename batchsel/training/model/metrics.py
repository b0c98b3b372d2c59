"""The compiled metrics of a Keras model, without the rows that pad a batch."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.training.model.objective import Objective


class Metrics:
    """The metrics of a compiled model, and its mean loss.

    Args:
        model: A compiled Keras model.
        objective: Its per-sample loss.
    """

    def __init__(self, model: keras.Model, objective: Objective) -> None:
        self._model = model
        self._objective = objective
        self._container = keras_private.get_compiled_metrics(model)
        self._loss = keras_private.get_loss_tracker(model)

    @property
    def objects(self) -> list[keras.metrics.Metric]:
        """All metric objects, the mean loss first."""
        own = [self._loss, *keras_private.get_compiled_loss(self._model).metrics]
        return own + (self._container.metrics if self._container is not None else [])

    def update(
        self,
        loss: tf.Tensor,
        losses: tf.Tensor,
        y: Any,
        y_pred: Any,
        valid: tf.Tensor,
        sample_weight: Any = None,
    ) -> None:
        """Update the metrics with a batch.

        Args:
            loss: ``float32[]`` loss of the batch, without the weights of the selector.
            losses: ``float32[b]`` loss of each sample, for metrics that are functions of it.
            y: Targets, first axis b.
            y_pred: The model's outputs.
            valid: ``float32[b]``, 0 for padding rows.
            sample_weight: As in `Objective.losses`; used by weighted metrics only.
        """
        self._loss.update_state(loss, sample_weight=tf.reduce_sum(valid))
        self._objective.update_loss_metrics(valid)
        if self._container is None:
            return
        if not self._container.built:
            self._container.build(y, y_pred)
        targets, outputs = (keras_private.flatten_outputs(self._container, values) for values in (y, y_pred))
        weights = _weights_by_output(sample_weight, valid, len(outputs))
        metrics = keras_private.list_metrics(self._container)
        for (plain, weighted), target, output, weight in zip(metrics, targets, outputs, weights, strict=True):
            mask = keras_private.get_mask(output)
            for metric in plain:
                if len(outputs) == 1 and hasattr(metric, "update_from_losses"):
                    metric.update_from_losses(losses, valid)
                else:
                    metric.update_state(target, output, sample_weight=_match_mask(valid, mask))
            for metric in weighted:
                metric.update_state(target, output, sample_weight=_match_mask(weight, mask))

    def results(self) -> dict[str, tf.Tensor]:
        """Return the values, ``float32[]`` by Keras's names."""
        results = {"loss": self._loss.result()}
        for metric in keras_private.get_compiled_loss(self._model).metrics:
            results[metric.name] = metric.result()
        if self._container is not None:
            results |= self._container.result()
        return {name: tf.cast(value, tf.float32) for name, value in results.items()}

    def reset(self) -> None:
        """Reset all metrics."""
        for metric in self.objects:
            metric.reset_state()


def _weights_by_output(sample_weight: Any, valid: tf.Tensor, outputs: int) -> list[tf.Tensor]:
    if sample_weight is None:
        return [valid] * outputs
    flat = tf.nest.flatten(sample_weight)
    flat = flat if len(flat) == outputs else flat[:1] * outputs
    return [_mask_padding(valid, tf.cast(weight, tf.float32)) for weight in flat]


def _mask_padding(valid: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Set the weights of padding rows, or of all their steps, to 0."""
    if weight.shape.rank == 1 or weight.shape[1:].num_elements() == 1:
        return valid * tf.reshape(weight, [-1])
    return weight * tf.reshape(valid, [-1] + [1] * (weight.shape.rank - 1))


def _match_mask(weight: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Repeat the weights of rows for the steps of a mask, which is the form that Keras expects."""
    if mask is None or mask.shape.rank <= weight.shape.rank:
        return weight
    spread = tf.reshape(weight, weight.shape.as_list() + [1] * (mask.shape.rank - weight.shape.rank))
    return spread * tf.ones_like(mask, weight.dtype)
