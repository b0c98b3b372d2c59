"""What selectors may ask about a sample besides its loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.training.model.objective import Objective, kind_of

_EPSILON = 1e-7


class Signals:
    """Computes the signals that a selector asked for, and no others.

    Args:
        model: The Keras model.
        objective: Its per-sample loss; for classification one cross-entropy over one output.
        names: The signals: fields of `batchsel.selectors.SampleStats`.

    Raises:
        UserError: If a signal is unknown, or the model cannot give it.
    """

    def __init__(self, model: keras.Model, objective: Objective, names: tuple[str, ...]) -> None:
        unknown = sorted(set(names) - set(_FORMULAS) - _ROWS)
        if unknown:
            known = ", ".join([*_FORMULAS, *sorted(_ROWS)])
            raise UserError(f"unknown signal {unknown[0]!r}; a selector may ask for {known}.")
        self._model = model
        self._objective = objective
        self._names = names
        outputs = len(getattr(model, "outputs", None) or [model])
        if names and outputs != 1:
            raise UserError(f"signals {', '.join(names)} need a model with one output, this one has {outputs}.")
        self._forward = _with_features(model) if "features" in names else None
        if self._forward is not None and None in self._forward.outputs[1].shape[1:]:
            raise UserError(
                f"the features of this model have the shape {tuple(self._forward.outputs[1].shape)}, different for each"
                " sequence: selectors that compare features cannot be used with it."
            )

    def forward(self, x: Any, training: bool) -> tuple[Any, tf.Tensor | None]:
        """The model's outputs, and ``float32[b, d]`` features if they were asked for.

        Args:
            x: Inputs, first axis b.
            training: As in a Keras call.
        """
        if self._forward is None:
            return self._model(x, training=training), None
        return self._forward(x, training=training)

    def feature_size(self) -> int:
        """d, the number of features of a sample; 0 if they were not asked for."""
        return 0 if self._forward is None else int(np.prod(self._forward.outputs[1].shape[1:]))

    def of(self, x: Any, y: Any, y_pred: Any, features: tf.Tensor | None) -> dict[str, tf.Tensor]:
        """The signals by name, after `Objective.losses` was called.

        Args:
            x: Inputs.
            y: Targets.
            y_pred: Outputs of the forward pass.
            features: Features of the forward pass.

        Returns:
            ``float32[b]`` each, the predicted class ``int32[b]``, residuals ``float32[b, c]``, features and inputs
            ``float32[b, d]``.
        """
        values = {}
        wanted = [name for name in self._names if name not in _ROWS]
        if wanted:
            self._check_kind(wanted, y_pred)
            truth, predicted = _probabilities(self._objective.leaves()[0], y, y_pred)
            values = {name: _FORMULAS[name](truth, predicted) for name in wanted}
        if features is not None:
            values["features"] = _flat(features)
        if "inputs" in self._names:
            values["inputs"] = tf.concat([_flat(leaf) for leaf in tf.nest.flatten(x)], axis=1)
        return values

    def _check_kind(self, wanted: list[str], y_pred: tf.Tensor) -> None:
        """Refuses signals that mean nothing for the loss: they would be numbers all the same."""
        loss = self._objective.leaves()[0]
        kind, _ = kind_of(loss)
        of_classes = [name for name in wanted if name in _OF_CLASSES]
        rows = y_pred.shape.rank == 2
        one_of_several = kind in ("sparse", "categorical") or (kind == "binary" and rows and y_pred.shape[-1] == 1)
        if of_classes and not (rows and one_of_several):
            raise UserError(
                f"the selector asks for {', '.join(of_classes)}, which need cross-entropy over the classes of a sample,"
                f" one row of outputs each. The loss here is {loss.name!r}, the outputs have the shape"
                f" {tuple(y_pred.shape)}. Choose a selector that reads losses alone."
            )
        if not rows or (kind == "other" and getattr(loss, "fn", None) is not keras.losses.mean_squared_error):
            raise UserError(
                f"the selector asks for {', '.join(wanted)}, differences of prediction and target that stand for the"
                f" gradient with cross-entropy or squared error of one row of outputs. The loss here is {loss.name!r},"
                f" the outputs have the shape {tuple(y_pred.shape)}. Choose a selector that reads losses alone."
            )


def _flat(rows: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.cast(rows, tf.float32), [rows.shape[0], -1])


def _probabilities(loss: keras.losses.Loss, y: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Truth and prediction as ``float32[b, c]`` on one scale: class probabilities, or plain numbers."""
    y_pred = tf.cast(y_pred, tf.float32)
    kind, logits = kind_of(loss)
    if kind == "sparse":
        predicted = tf.nn.softmax(y_pred) if logits else y_pred
        return tf.one_hot(tf.reshape(tf.cast(y, tf.int32), [-1]), predicted.shape[-1]), predicted
    if kind == "categorical":
        return tf.cast(y, tf.float32), tf.nn.softmax(y_pred) if logits else y_pred
    size = y_pred.shape[0]
    truth = tf.reshape(tf.cast(y, tf.float32), [size, -1])
    predicted = tf.reshape(y_pred, [size, -1])
    if kind == "binary":
        predicted = tf.sigmoid(predicted) if logits else predicted
        if predicted.shape[-1] == 1:
            return tf.concat([1 - truth, truth], 1), tf.concat([1 - predicted, predicted], 1)
    return truth, predicted


def _probability(truth: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.reduce_sum(truth * predicted, axis=-1), _EPSILON, 1.0)


def _correct(truth: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.argmax(truth, axis=-1) == tf.argmax(predicted, axis=-1), tf.float32)


def _predicted(truth: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    return tf.argmax(predicted, axis=-1, output_type=tf.int32)


def _boundary_distance(truth: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    return tf.math.reduce_std(predicted, axis=-1) * (2 * _correct(truth, predicted) - 1)


def _gradient_norm(truth: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    return tf.norm(predicted - truth, axis=-1)


_FORMULAS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "probability": _probability,
    "correct": _correct,
    "predicted": _predicted,
    "boundary_distance": _boundary_distance,
    "gradient_norm": _gradient_norm,
    "residuals": lambda truth, predicted: predicted - truth,
}
_OF_CLASSES = ("probability", "correct", "predicted", "boundary_distance")
_ROWS = {"features", "inputs"}
"""Signals that are not computed from the prediction."""


def _with_features(model: keras.Model) -> keras.Model:
    """A model with a second output: what goes into the last layer that has weights."""
    layers = [layer for layer in getattr(model, "layers", []) if layer.trainable_weights]
    try:
        return keras.Model(model.inputs, [model.outputs[0], layers[-1].input])
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"the signal 'features' needs a Sequential or functional model that ends in a layer with weights: {error}"
        ) from None
