"""The loss of each sample, out of what a Keras model was compiled with."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.core.label_smoothing import smoothed_crossentropy
from batchsel.errors import UserError
from batchsel.transforms.augmentation import Mixture

_REDUCTIONS = ("sum_over_batch_size", "mean", "none", None)


class PerSampleLoss(keras.losses.Loss):
    """A Keras loss that keeps the batch axis: the mean over all other axes, masked steps left out.

    Args:
        loss: The loss to be reduced so.

    Raises:
        UserError: If the loss has a reduction that has no per-sample form.

    Example:
        >>> loss = PerSampleLoss(keras.losses.MeanSquaredError())
        >>> loss(tf.zeros([2, 1]), tf.constant([[1.0], [2.0]])).numpy().tolist()
        [1.0, 4.0]
    """

    def __init__(self, loss: keras.losses.Loss) -> None:
        super().__init__(name=loss.name, reduction=None)
        if loss.reduction not in _REDUCTIONS:
            raise UserError(
                f"loss {loss.name!r} has reduction={loss.reduction!r}, which is no mean over samples."
                " Compile the model with the default reduction 'sum_over_batch_size'."
            )
        self._loss = loss

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
        """``float32[b]``, times `sample_weight` if there is one."""
        mask = getattr(y_pred, "_keras_mask", None)
        y_true, y_pred = (
            tf.nest.map_structure(lambda leaf: keras.ops.convert_to_tensor(leaf, dtype="float32"), side)
            for side in (y_true, y_pred)
        )
        values = self._loss.call(y_true, y_pred)
        mask = _both(mask, getattr(values, "_keras_mask", None))  # a loss that ignores a class marks it so
        values = tf.cast(values, tf.float32)
        if values.shape.rank == 0:
            raise UserError(
                f"loss {self.name!r} returns one number for the whole batch; batchsel needs one for each"
                " sample. Let it return the unreduced losses, first axis = samples."
            )
        if sample_weight is not None:
            weight = tf.cast(sample_weight, values.dtype)
            if weight.shape.rank == 1 or weight.shape[1:].num_elements() == 1:
                weight = tf.reshape(weight, [-1] + [1] * (values.shape.rank - 1))
            values *= weight
        return _mean_of_rest(values, mask)


def _both(first: tf.Tensor | None, second: tf.Tensor | None) -> tf.Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return tf.cast(first, tf.bool) & tf.cast(second, tf.bool) if first.shape.rank == second.shape.rank else second


def _mean_of_rest(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
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


def kind_of(loss: keras.losses.Loss) -> tuple[str, bool]:
    """What a compiled loss compares, whether it was given by name, as a function or as an object.

    Args:
        loss: The loss.

    Returns:
        "sparse" (class ids), "categorical" (one-hot), "binary" or "other"; and whether outputs are logits.

    Example:
        >>> kind_of(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        ('sparse', True)
    """
    kind = _KINDS.get(getattr(loss, "fn", None), "other")
    return kind, bool(getattr(loss, "_fn_kwargs", {}).get("from_logits", False))


class _Catch:
    """Stands where a metric would, and keeps what it is given."""

    values: tf.Tensor | None = None

    def update_state(self, values: tf.Tensor, sample_weight: Any = None) -> None:
        self.values = values


class Objective:
    """What a compiled model minimizes, sample by sample.

    Args:
        model: A compiled Keras model.

    Raises:
        UserError: If the model is not compiled, or trains in a way of its own.
    """

    def __init__(self, model: keras.Model) -> None:
        _check(model)
        self._model = model
        self._compiled = self._sharp = self._evaluated = None
        self._caught: list[_Catch] | None = None

    def losses(self, y: Any, y_pred: Any, sample_weight: Any = None, mixture: Mixture | None = None) -> tf.Tensor:
        """The loss of each sample; of several outputs, the sum weighted as compiled.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            sample_weight: ``float32[b]``, or one for each output, or None.
            mixture: Of which two samples each row is made, or None; then the mean of the losses for both targets.

        Returns:
            ``float32[b]``.
        """
        self._build(y, y_pred)
        losses = self._compiled(y, y_pred, sample_weight)
        if mixture is None:
            return losses
        own = [caught.values for caught in self._caught]
        others = self._compiled(mixture.gather_partners(y), y_pred, sample_weight)
        for caught, values in zip(self._caught, own, strict=True):
            caught.values = None if values is None else mixture.weighted_mean(values, caught.values)
        return mixture.weighted_mean(losses, others)

    def unsmoothed_losses(self, y: Any, y_pred: Any, losses: tf.Tensor, mixture: Mixture | None = None) -> tf.Tensor:
        """The loss of each sample without label smoothing, which would rank the surest samples among the hard ones.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            losses: What `losses` gave for them.
            mixture: As in `losses`.

        Returns:
            ``float32[b]``; `losses` itself where no label is smoothed.
        """
        if self._sharp is None:
            return losses
        own = self._sharp(y, y_pred, None)
        return (
            own
            if mixture is None
            else mixture.weighted_mean(own, self._sharp(mixture.gather_partners(y), y_pred, None))
        )

    def evaluated(self, y: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """The loss of each sample as evaluations report it: as compiled, but for losses that smooth in training alone.

        Args:
            y: Targets, first axis b.
            y_pred: The model's outputs.
            sample_weight: As in `losses`.

        Returns:
            ``float32[b]``.
        """
        self._build(y, y_pred)
        return self._evaluated(y, y_pred, sample_weight)

    def regularization_loss(self) -> tf.Tensor:
        """``float32[]``: regularizers and other losses that layers added in the last forward pass."""
        extras = [tf.cast(tf.reduce_sum(loss), tf.float32) for loss in self._model.losses]
        return tf.add_n(extras) if extras else tf.zeros([])

    def track(self, valid: tf.Tensor) -> None:
        """Updates Keras's running means of the losses of several outputs, after `losses`.

        Args:
            valid: ``float32[b]``, 0 for rows that only fill up the batch.
        """
        for metric, caught in zip(self._model._compile_loss.metrics, self._caught or (), strict=False):
            metric.update_state(caught.values, sample_weight=valid)

    def leaves(self) -> list[keras.losses.Loss]:
        """The compiled losses, one for each output that has one; known after the first forward pass."""
        return [entry.loss._loss for entry in self._compiled._flat_losses]

    def _build(self, y: Any, y_pred: Any) -> None:
        """Makes copies of Keras's own loss container, whose losses keep the batch axis."""
        if self._compiled is not None:
            return
        container = self._model._compile_loss
        if not container.built:
            container.build(y, y_pred)
        losses = [entry.loss for entry in container._flat_losses]
        # Where Keras would update its running mean of each output, the values are caught.
        self._caught = [_Catch() for _ in losses]
        self._compiled = self._evaluated = _copy(container, losses, self._caught)
        if any(map(_smoothing, losses)):
            self._sharp = _copy(container, list(map(_unsmoothed, losses)), [_Catch() for _ in losses])
            plain = [_unsmoothed(loss) if getattr(loss, "plain_in_evaluation", False) else loss for loss in losses]
            self._evaluated = _copy(container, plain, self._caught)


def _copy(container: Any, losses: list[keras.losses.Loss], caught: list[_Catch]) -> Any:
    clone = object.__new__(type(container))  # copy.copy() would try to save it as a model
    vars(clone).update(vars(container))
    entries = zip(container._flat_losses, losses, strict=True)
    clone._flat_losses = [entry._replace(loss=PerSampleLoss(loss)) for entry, loss in entries]
    clone._metrics = caught
    return clone


def _smoothing(loss: keras.losses.Loss) -> float:
    return getattr(loss, "_fn_kwargs", {}).get("label_smoothing", 0.0)


def _unsmoothed(loss: keras.losses.Loss) -> keras.losses.Loss:
    if not _smoothing(loss):
        return loss
    unsmoothed_losses = object.__new__(type(loss))
    vars(unsmoothed_losses).update(vars(loss), _fn_kwargs={**loss._fn_kwargs, "label_smoothing": 0.0})
    return unsmoothed_losses


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
                " Give the model a compiled loss instead, or train it with model.fit."
            )
