"""Signals of samples that selectors can request in addition to the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.errors import UserError
from batchsel.training.model.objective import Objective, loss_kind

_EPSILON = 1e-7


class Signals:
    """Computation of the signals that a selector requests.

    Args:
        model: The Keras model.
        objective: Its per-sample loss; for classification one cross-entropy over one output.
        names: The signals: fields of `batchsel.selectors.SampleStats`.

    Raises:
        UserError: If a signal is unknown, or the model does not provide it.
    """

    def __init__(self, model: keras.Model, objective: Objective, names: tuple[str, ...]) -> None:
        unknown = sorted(set(names) - set(_FORMULAS) - _ROW_SIGNALS - {"logits"})
        if unknown:
            known = ", ".join([*_FORMULAS, "logits", *sorted(_ROW_SIGNALS)])
            raise UserError(f"unknown signal {unknown[0]!r}; a selector can request {known}.")
        self._model = model
        self._objective = objective
        self._names = names
        outputs = len(getattr(model, "outputs", None) or [model])
        if names and outputs != 1:
            raise UserError(f"signals {', '.join(names)} need a model with one output, this one has {outputs}.")
        self._forward = _add_features_output(model) if "features" in names else None
        if self._forward is not None and None in self._forward.outputs[1].shape[1:]:
            raise UserError(
                f"the features of this model have the shape {tuple(self._forward.outputs[1].shape)}, which differs"
                " between sequences. Choose a selector that does not compare features."
            )

    def forward(self, x: Any, training: bool) -> tuple[Any, tf.Tensor | None]:
        """Return the model's outputs, and ``float32[b, d]`` features if they were requested.

        Args:
            x: Inputs, first axis b.
            training: As in a Keras call.
        """
        if self._forward is None:
            return keras_private.call_model(self._model, x, training), None
        return self._forward(x, training=training)

    def feature_size(self) -> int:
        """Return the number of features of a sample; 0 if they were not requested."""
        return 0 if self._forward is None else int(np.prod(self._forward.outputs[1].shape[1:]))

    def compute(self, x: Any, y: Any, y_pred: Any, features: tf.Tensor | None) -> dict[str, tf.Tensor]:
        """Return the signals by name, after a call of `Objective.losses`.

        Args:
            x: Inputs.
            y: Targets.
            y_pred: Outputs of the forward pass.
            features: Features of the forward pass.

        Returns:
            ``float32[b]`` each, the predicted class ``int32[b]``, residuals, probabilities and logits
            ``float32[b, c]``, features and inputs ``float32[b, d]``.
        """
        values = {}
        requested = [name for name in self._names if name not in _ROW_SIGNALS]
        if requested:
            self._check_kind(requested, y_pred)
            loss = self._objective.output_losses[0]
            truth, predicted = _probabilities(loss, y, y_pred)
            values = {name: _FORMULAS[name](truth, predicted) for name in requested if name != "logits"}
            if "logits" in requested:
                values["logits"] = _logits(loss, y_pred, predicted)
        if features is not None:
            values["features"] = _flatten(features)
        if "inputs" in self._names:
            if any(leaf.dtype == tf.string for leaf in tf.nest.flatten(x)):
                raise UserError(
                    "the selector compares the inputs of samples, which are texts here. Choose one that compares"
                    " features, such as k_centre(on='features')."
                )
            values["inputs"] = tf.concat([_flatten(leaf) for leaf in tf.nest.flatten(x)], axis=1)
        return values

    def _check_kind(self, requested: list[str], y_pred: tf.Tensor) -> None:
        """Reject signals that the formulas do not cover for this loss."""
        loss = self._objective.output_losses[0]
        kind, _ = loss_kind(loss)
        class_signals = [name for name in requested if name in _CLASS_SIGNALS]
        rows = y_pred.shape.rank == 2
        one_of_several = kind in ("sparse", "categorical") or (kind == "binary" and rows and y_pred.shape[-1] == 1)
        if class_signals and not (rows and one_of_several):
            raise UserError(
                f"the selector requests {', '.join(class_signals)}, which need cross-entropy over the classes of a"
                f" sample, one row of outputs each. The loss here is {loss.name!r}, the outputs have the shape"
                f" {tuple(y_pred.shape)}. Choose a selector that needs losses only."
            )
        if not rows or (kind == "other" and getattr(loss, "fn", None) is not keras.losses.mean_squared_error):
            raise UserError(
                f"the selector requests {', '.join(requested)}, which are the gradient of the loss only for"
                f" cross-entropy or squared error of one row of outputs. The loss here is {loss.name!r},"
                f" the outputs have the shape {tuple(y_pred.shape)}. Choose a selector that needs losses only."
            )


def _flatten(rows: tf.Tensor) -> tf.Tensor:
    return tf.reshape(
        tf.cast(rows, tf.float32), [-1, math.prod(static_size(rows, axis) for axis in range(1, rows.shape.rank))]
    )


def _probabilities(loss: keras.losses.Loss, y: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return targets and predictions, ``float32[b, c]`` each: class probabilities, or regression values."""
    y_pred = tf.cast(y_pred, tf.float32)
    kind, logits = loss_kind(loss)
    if kind == "sparse":
        predicted = tf.nn.softmax(y_pred) if logits else y_pred
        return tf.one_hot(tf.reshape(tf.cast(y, tf.int32), [-1]), predicted.shape[-1]), predicted
    if kind == "categorical":
        return tf.cast(y, tf.float32), tf.nn.softmax(y_pred) if logits else y_pred
    truth, predicted = _flatten(y), _flatten(y_pred)
    if kind == "binary":
        predicted = tf.sigmoid(predicted) if logits else predicted
        if predicted.shape[-1] == 1:
            return tf.concat([1 - truth, truth], 1), tf.concat([1 - predicted, predicted], 1)
    return truth, predicted


def _logits(loss: keras.losses.Loss, y_pred: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Return numbers whose softmax is the predicted probabilities: outputs, or logarithms of probabilities."""
    kind, logits = loss_kind(loss)
    if not logits:
        return tf.math.log(tf.clip_by_value(predicted, _EPSILON, 1.0))
    outputs = tf.cast(y_pred, tf.float32)
    return tf.concat([tf.zeros_like(outputs), outputs], 1) if kind == "binary" else outputs


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
    "probabilities": lambda truth, predicted: predicted,
}
_CLASS_SIGNALS = ("probability", "correct", "predicted", "boundary_distance", "probabilities", "logits")
_ROW_SIGNALS = {"features", "inputs"}
"""Signals that are not computed from the prediction."""


def _add_features_output(model: keras.Model) -> keras.Model:
    """Return a model with a second output: the input of the last layer with weights."""
    layers = [layer for layer in getattr(model, "layers", []) if layer.trainable_weights]
    try:
        return keras.Model(model.inputs, [model.outputs[0], layers[-1].input])
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"the signal 'features' needs a Sequential or functional model that ends in a layer with weights: {error}"
        ) from None
