"""The compiled metrics of a Keras model, updated so that rows which fill up a batch do not count."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.training.model.objective import Objective


class Metrics:
    """The metric objects of a compiled model, and the mean of its loss.

    Args:
        model: A compiled Keras model.
        objective: Its per-sample loss.
    """

    def __init__(self, model: keras.Model, objective: Objective) -> None:
        self._model = model
        self._objective = objective
        self._container = model._compile_metrics
        self._loss = model._loss_tracker

    @property
    def objects(self) -> list[keras.metrics.Metric]:
        """All metric objects, the mean loss first."""
        own = [self._loss, *self._model._compile_loss.metrics]
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
        """Adds a batch.

        Args:
            loss: ``float32[]`` of the batch, as minimized.
            losses: ``float32[b]`` of each sample; metrics that are functions of it need not compute it again.
            y: Targets, first axis b.
            y_pred: The model's outputs.
            valid: ``float32[b]``, 0 for rows that only fill up the batch.
            sample_weight: As in `Objective.losses`; only weighted metrics look at it.
        """
        self._loss.update_state(loss, sample_weight=tf.reduce_sum(valid))
        self._objective.track(valid)
        if self._container is None:
            return
        if not self._container.built:
            self._container.build(y, y_pred)
        targets, outputs = self._container._flatten_y(y), self._container._flatten_y(y_pred)
        weights = _for_each_output(sample_weight, valid, len(outputs))
        groups = zip(
            self._container._flat_metrics,
            self._container._flat_weighted_metrics,
            targets,
            outputs,
            weights,
            strict=True,
        )
        for plain, weighted, target, output, weight in groups:
            mask = getattr(output, "_keras_mask", None)
            for metric in plain.metrics if plain else ():
                if len(outputs) == 1 and hasattr(metric, "update_from_losses"):
                    metric.update_from_losses(losses, valid)
                else:
                    metric.update_state(target, output, sample_weight=_like(valid, mask))
            for metric in weighted.metrics if weighted else ():
                metric.update_state(target, output, sample_weight=_like(weight, mask))

    def results(self) -> dict[str, tf.Tensor]:
        """``float32[]`` by name, as Keras names them."""
        results = {"loss": self._loss.result()}
        for metric in self._model._compile_loss.metrics:
            results[metric.name] = metric.result()
        if self._container is not None:
            results |= self._container.result()
        return {name: tf.cast(value, tf.float32) for name, value in results.items()}

    def reset(self) -> None:
        """Empties all metrics."""
        for metric in self.objects:
            metric.reset_state()


def _for_each_output(sample_weight: Any, valid: tf.Tensor, outputs: int) -> list[tf.Tensor]:
    if sample_weight is None:
        return [valid] * outputs
    flat = tf.nest.flatten(sample_weight)
    flat = flat if len(flat) == outputs else flat[:1] * outputs
    return [_times(valid, tf.cast(weight, tf.float32)) for weight in flat]


def _times(valid: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Weights of rows, or of the steps of rows, without those that fill up."""
    if weight.shape.rank == 1 or weight.shape[1:].num_elements() == 1:
        return valid * tf.reshape(weight, [-1])
    return weight * tf.reshape(valid, [-1] + [1] * (weight.shape.rank - 1))


def _like(weight: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Weights of rows as weights of the steps that a mask tells apart, which is how Keras wants them."""
    if mask is None or mask.shape.rank <= weight.shape.rank:
        return weight
    spread = tf.reshape(weight, weight.shape.as_list() + [1] * (mask.shape.rank - weight.shape.rank))
    return spread * tf.ones_like(mask, weight.dtype)
