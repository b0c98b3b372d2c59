"""Per-sample losses of a compiled Keras model."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.label_smoothing import smoothed_crossentropy
from batchsel.errors import UserError
from batchsel.transforms.augmentation import Mixture

_REDUCTIONS = ("sum_over_batch_size", "mean", "none", None)


class PerSampleLoss(keras.losses.Loss):
    """A Keras loss that keeps the batch axis: the mean over all other axes, without masked steps.

    Args:
        loss: The loss to reduce in this way.

    Raises:
        UserError: If the reduction of the loss is not a mean over samples.

    Example:
        >>> loss = PerSampleLoss(keras.losses.MeanSquaredError())
        >>> loss(tf.zeros([2, 1]), tf.constant([[1.0], [2.0]])).numpy().tolist()
        [1.0, 4.0]
    """

    def __init__(self, loss: keras.losses.Loss) -> None:
        super().__init__(name=loss.name, reduction=None)  # pyright: ignore[reportArgumentType]
        if loss.reduction not in _REDUCTIONS:
            raise UserError(
                f"loss {loss.name!r} has reduction={loss.reduction!r}, which is not a mean over samples."
                " Compile the model with the default reduction 'sum_over_batch_size'."
            )
        self._loss = loss

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
        """Return ``float32[b]`` losses, times `sample_weight` unless that is None."""
        mask = keras_private.get_mask(y_pred)
        y_true, y_pred = (
            tf.nest.map_structure(lambda leaf: keras.ops.convert_to_tensor(leaf, dtype="float32"), side)
            for side in (y_true, y_pred)
        )
        values = self._loss.call(y_true, y_pred)
        mask = _combine_masks(mask, keras_private.get_mask(values))  # set by a loss that ignores a class
        values = tf.cast(values, tf.float32)
        if values.shape.rank == 0:
            raise UserError(
                f"loss {self.name!r} returns one number for the whole batch; batchsel needs one for each"
                " sample. Return the unreduced losses, first axis = samples."
            )
        if sample_weight is not None:
            weight = tf.cast(sample_weight, values.dtype)
            if weight.shape.rank == 1 or weight.shape[1:].num_elements() == 1:
                weight = tf.reshape(weight, [-1] + [1] * (values.shape.rank - 1))
            values *= weight
        return _mean_over_steps(values, mask)


def _combine_masks(first: tf.Tensor | None, second: tf.Tensor | None) -> tf.Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return tf.cast(first, tf.bool) & tf.cast(second, tf.bool) if first.shape.rank == second.shape.rank else second


def _mean_over_steps(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    axes = list(range(1, values.shape.rank))
    if mask is None or mask.shape.rank != values.shape.rank:
        return tf.reduce_mean(values, axis=axes)
    mask = tf.cast(mask, values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(values * mask, axis=axes), tf.reduce_sum(mask, axis=axes))


_KINDS = {
    keras.losses.sparse_categorical_crossentropy: "sparse",
    smoothed_crossentropy: "sparse",
    keras.losses.categorical_crossentropy: "categorical",
    keras.losses.binary_crossentropy: "binary",
}


def loss_kind(loss: keras.losses.Loss) -> tuple[str, bool]:
    """Return the form of the targets of a compiled loss.

    Returns:
        "sparse" (class ids), "categorical" (one-hot), "binary" or "other"; and whether outputs are logits.

    Example:
        >>> loss_kind(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        ('sparse', True)
    """
    kind = _KINDS.get(getattr(loss, "fn", None), "other")
    return kind, bool(keras_private.get_loss_options(loss).get("from_logits", False))


class _ValueRecorder:
    """Stand-in for a metric that keeps the last value it was updated with."""

    values: tf.Tensor | None = None

    def update_state(self, values: tf.Tensor, sample_weight: Any = None) -> None:
        self.values = values


class Objective:
    """The per-sample loss that a compiled model minimizes.

    Args:
        model: A compiled Keras model.

    Raises:
        UserError: If the model is not compiled, or overrides how Keras trains.
    """

    def __init__(self, model: keras.Model) -> None:
        _check(model)
        self._model = model
        self._compiled: Any = None
        self._unsmoothed: Any = None
        self._evaluation: Any = None
        self._history: Any = None
        self._recorders: list[_ValueRecorder] = []
        self.output_losses: list[keras.losses.Loss] = []
        """The compiled losses, one for each output that has one; filled by the first call of `losses`."""
        self.output_paths: list[tuple[Any, ...]] = []
        """The keys that lead to each of these outputs in the model's."""

    def losses(self, y: Any, y_pred: Any, sample_weight: Any = None, mixture: Mixture | None = None) -> tf.Tensor:
        """Return the loss of each sample; with several outputs, the sum weighted as compiled.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            sample_weight: ``float32[b]``, or one for each output, or None.
            mixture: The two samples that each row mixes, or None; the loss is then the mean for both targets.

        Returns:
            ``float32[b]``.
        """
        self._build(y, y_pred)
        return self._losses(self._compiled, y, y_pred, sample_weight, mixture)

    def _losses(self, compiled: Any, y: Any, y_pred: Any, sample_weight: Any, mixture: Mixture | None) -> tf.Tensor:
        losses = compiled(y, y_pred, sample_weight)
        if mixture is None:
            return losses
        own = [recorder.values for recorder in self._recorders]
        others = compiled(mixture.gather_partners(y), y_pred, sample_weight)
        for recorder, values in zip(self._recorders, own, strict=True):
            recorder.values = None if values is None else mixture.weighted_mean(values, recorder.values)
        return mixture.weighted_mean(losses, others)

    def unsmoothed_losses(self, y: Any, y_pred: Any, losses: tf.Tensor, mixture: Mixture | None = None) -> tf.Tensor:
        """Return the losses without label smoothing, which would give the most certain samples high losses.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            losses: From `losses`, for the same batch.
            mixture: As in `losses`.

        Returns:
            ``float32[b]``; `losses` itself if labels are not smoothed.
        """
        if self._unsmoothed is None:
            return losses
        own = self._unsmoothed(y, y_pred, None)
        return (
            own
            if mixture is None
            else mixture.weighted_mean(own, self._unsmoothed(mixture.gather_partners(y), y_pred, None))
        )

    def plain_losses(
        self, y: Any, y_pred: Any, losses: tf.Tensor, sample_weight: Any = None, mixture: Mixture | None = None
    ) -> tf.Tensor:
        """Return the losses that the history of training reports: without smoothing that applies to training only.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            losses: From `losses`, for the same batch, weights and mixture.
            sample_weight: As in `losses`.
            mixture: As in `losses`.

        Returns:
            ``float32[b]``; `losses` itself if there is no such smoothing.
        """
        if self._history is self._compiled:
            return losses
        return self._losses(self._history, y, y_pred, sample_weight, mixture)

    def evaluation_losses(self, y: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """Return the loss of each sample for evaluation, without smoothing that applies to training only.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            sample_weight: As in `losses`.

        Returns:
            ``float32[b]``.
        """
        self._build(y, y_pred)
        return self._evaluation(y, y_pred, sample_weight)

    def regularization_loss(self) -> tf.Tensor:
        """Return the sum of regularizers and other losses that layers added in the last forward pass, ``float32[]``."""
        extras = [tf.cast(tf.reduce_sum(loss), tf.float32) for loss in self._model.losses]
        return tf.add_n(extras) if extras else tf.zeros([])

    def update_loss_metrics(self, valid: tf.Tensor) -> None:
        """Update Keras's running mean of the loss of each output, after a call of `losses`.

        Args:
            valid: ``float32[b]``, 0 for padding rows.
        """
        for metric, recorder in zip(
            keras_private.get_compiled_loss(self._model).metrics, self._recorders, strict=False
        ):
            metric.update_state(recorder.values, sample_weight=valid)

    def _build(self, y: Any, y_pred: Any) -> None:
        """Copy Keras's loss container, with losses that keep the batch axis."""
        if self._compiled is not None:
            return
        container = keras_private.get_compiled_loss(self._model)
        if not container.built:
            container.build(y, y_pred)
        self.output_losses = losses = keras_private.list_losses(container)
        self.output_paths = keras_private.list_loss_paths(container)
        # They receive the values with which Keras would update its running mean of each output.
        self._recorders = [_ValueRecorder() for _ in losses]
        self._compiled = self._evaluation = self._history = _copy_per_sample(container, losses, self._recorders)
        if any(map(_get_smoothing, losses)):
            self._unsmoothed = _copy_per_sample(
                container, list(map(_remove_smoothing, losses)), [_ValueRecorder() for _ in losses]
            )
            self._evaluation = self._without_smoothing(losses, "plain_in_evaluation")
            self._history = self._without_smoothing(losses, "plain_in_history")

    def _without_smoothing(self, losses: list[keras.losses.Loss], name: str) -> Any:
        """Return a copy of the losses without the smoothing of those that have an attribute; the losses if none has."""
        if not any(getattr(loss, name, False) for loss in losses):
            return self._compiled
        plain = [_remove_smoothing(loss) if getattr(loss, name, False) else loss for loss in losses]
        return _copy_per_sample(keras_private.get_compiled_loss(self._model), plain, self._recorders)


def _copy_per_sample(container: Any, losses: list[keras.losses.Loss], recorders: list[_ValueRecorder]) -> Any:
    return keras_private.copy_compiled_loss(container, map(PerSampleLoss, losses), recorders)


def _get_smoothing(loss: keras.losses.Loss) -> float:
    return keras_private.get_loss_options(loss).get("label_smoothing", 0.0)


def _remove_smoothing(loss: keras.losses.Loss) -> keras.losses.Loss:
    return keras_private.replace_loss_options(loss, label_smoothing=0.0) if _get_smoothing(loss) else loss


def _check(model: keras.Model) -> None:
    if not isinstance(model, keras.Model):
        raise UserError(f"model must be a keras.Model, got {type(model).__name__}.")
    if not model.compiled or model.loss is None:
        raise UserError(
            "the model is not compiled with a loss. Call model.compile(optimizer=..., loss=..., metrics=...)."
        )
    for method in ("train_step", "compute_loss"):
        if getattr(type(model), method) is not getattr(keras.Model, method):
            raise UserError(
                f"{type(model).__name__} overrides {method}(), so the loss of a single sample is unknown."
                " Compile the model with a loss instead, or train it with model.fit."
            )
