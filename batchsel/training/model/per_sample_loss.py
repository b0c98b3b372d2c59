"""Losses of single samples, and their sum as Keras weighs and averages it."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.errors import UserError

_REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "none", None)


class NoSampleLossError(UserError):
    """A model whose loss has no value for each sample.

    Args:
        reason: The part of the model that makes it so, as in "VAE overrides compute_loss()".
        remedy: A way to have losses of samples.

    Example:
        >>> str(NoSampleLossError("VAE overrides compute_loss()", "Compile it with a loss."))
        'VAE overrides compute_loss(), so the loss of a single sample is unknown. Compile it with a loss.'
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}, so the loss of a single sample is unknown. {remedy}")
        self.reason = reason


class PerSampleLoss(keras.losses.Loss):
    """A Keras loss that keeps the batch axis: the mean over all other axes, without masked steps.

    Weights of steps weigh this mean, Σ w l / Σ w. A sample without any step that counts has the loss 0.

    Args:
        loss: The loss to reduce in this way.

    Raises:
        NoSampleLossError: If the loss has no value for each sample.

    Example:
        >>> loss = PerSampleLoss(keras.losses.MeanSquaredError())
        >>> loss(tf.zeros([2, 1]), tf.constant([[1.0], [2.0]])).numpy().tolist()
        [1.0, 4.0]
        >>> steps, weights = tf.constant([[[1.0], [2.0]]]), tf.constant([[3.0, 1.0]])
        >>> loss(tf.zeros([1, 2, 1]), steps, weights).numpy().tolist()
        [1.75]
    """

    def __init__(self, loss: keras.losses.Loss) -> None:
        super().__init__(name=loss.name, reduction=None, dtype=loss.dtype)  # pyright: ignore[reportArgumentType]
        if loss.reduction not in _REDUCTIONS:
            raise NoSampleLossError(
                f"loss {loss.name!r} has reduction={loss.reduction!r}, which is not a mean over samples",
                "Compile the model with the default reduction 'sum_over_batch_size'.",
            )
        if type(loss).call is keras.losses.Loss.call:
            raise NoSampleLossError(
                f"loss {loss.name!r} overrides __call__() and not call()",
                "Compute the losses of the samples, first axis b, in call(y_true, y_pred).",
            )
        self.loss = loss
        self.values: tf.Tensor | None = None
        """``[b, ...]`` the values that it computed last."""
        self.mask: tf.Tensor | None = None
        """``[b, ...]`` the steps that counted, or None for all."""
        self.outputs: Any = None
        """The outputs that they are of."""
        self._weights: Any = None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """Return ``float32[b]`` losses.

        Args:
            y_true: Targets, first axis b.
            y_pred: Outputs.
            sample_weight: Weights of the steps of each sample; weights of whole samples have no effect.
        """
        self.outputs = y_pred
        values, self.mask = element_losses(self.loss, y_true, y_pred)
        if values.shape.rank == 0:
            raise NoSampleLossError(
                f"loss {self.name!r} returns one number for the whole batch",
                "Return the unreduced losses, first axis = samples.",
            )
        rows = {leaf.shape[0] for leaf in tf.nest.flatten(y_pred)} - {None}
        if values.shape[0] is not None and rows and values.shape[0] not in rows:
            raise NoSampleLossError(
                f"loss {self.name!r} returns {values.shape[0]} values for {max(rows)} samples",
                "Return the unreduced losses, first axis = samples.",
            )
        self.values, self._weights = values, sample_weight
        weights = None if self.mask is None else tf.cast(self.mask, tf.float32)
        if sample_weight is not None and not weighs_rows(sample_weight):
            steps = match_rank(tf.cast(sample_weight, tf.float32), values.shape.rank)
            weights = steps if weights is None else steps * weights
        return _mean_over_steps(tf.cast(values, tf.float32), weights)

    def divisor(self, rows: tf.Tensor | None = None) -> tf.Tensor:
        """Return what Keras divides the sum of the values by, after a call, as far as it comes from some of the rows.

        Args:
            rows: ``float32[b]``, 1 for these rows and 0 for others; None for all.

        Returns:
            ``float32[]`` their values that count, or the sum of their weights if that is the reduction.

        Example:
            >>> loss = PerSampleLoss(keras.losses.SparseCategoricalCrossentropy(ignore_class=0))
            >>> _ = loss(tf.constant([0, 1, 1]), tf.fill([3, 2], 0.5))
            >>> float(loss.divisor()), float(loss.divisor(tf.constant([1.0, 1.0, 0.0])))
            (2.0, 1.0)
        """
        values: Any = self.values
        parts = [self.mask, self._weights if self.loss.reduction == "mean_with_sample_weight" else None]
        parts = [tf.cast(part, tf.float32) for part in parts if part is not None] or [tf.ones(tf.shape(values))]
        counted = tf.ones([])
        for part in parts if rows is None else [*parts, rows]:
            counted *= match_rank(part, values.shape.rank)
        return tf.reduce_sum(counted)


class ReducedLoss(keras.losses.Loss):
    """A Keras loss as Keras weighs and reduces it, with a factor for each sample.

    Args:
        source: The loss of each sample, called before with the same arguments.
    """

    def __init__(self, source: PerSampleLoss) -> None:
        loss = source.loss
        super().__init__(name=loss.name, reduction=loss.reduction, dtype=loss.dtype)
        self._source = source
        self.factors: tf.Tensor | None = None
        """``float32[b]``, or None for ones."""
        self.scale: tf.Tensor | None = None
        """``float32[]`` factor of the loss after its reduction, or None."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss as the wrapped loss returns it.

        Args:
            y_true: Targets, first axis b.
            y_pred: Outputs.
            sample_weight: Weights of samples, or of their steps.
        """
        values = self._source.values
        if sample_weight is not None and values is not None:
            sample_weight = match_rank(tf.cast(sample_weight, values.dtype), values.shape.rank)
        loss: Any = super().__call__(y_true, y_pred, sample_weight)
        return loss if self.scale is None else loss * tf.cast(self.scale, loss.dtype)

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the values that were computed before, times the factors."""
        values: Any = self._source.values
        if self.factors is not None:
            values *= match_rank(tf.cast(self.factors, values.dtype), values.shape.rank)
        return keras_private.set_mask(values, keras_private.get_mask(self._source.values))


def element_losses(loss: keras.losses.Loss, y_true: Any, y_pred: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Return the values of a loss before any reduction, and the mask of those that count, or None.

    Args:
        loss: Any loss.
        y_true: Targets, first axis b.
        y_pred: Outputs.
    """
    mask = keras_private.get_mask(y_pred)
    y_true, y_pred = (
        tf.nest.map_structure(lambda leaf: keras.ops.convert_to_tensor(leaf, dtype=loss.dtype), side)
        for side in (y_true, y_pred)
    )
    values = tf.convert_to_tensor(loss.call(y_true, y_pred))
    return values, _combine_masks(mask, keras_private.get_mask(values), values)


def weighs_rows(weight: Any) -> bool:
    """Return whether weights are one number for each sample.

    Args:
        weight: ``[b, ...]``.

    Example:
        >>> weighs_rows(tf.ones([3, 1])), weighs_rows(tf.ones([3, 2]))
        (True, False)
    """
    return math.prod(1 if size is None else size for size in tuple(weight.shape)[1:]) == 1


def match_rank(weight: tf.Tensor, rank: int) -> tf.Tensor:
    """Add axes of size 1 at the end of weights, or drop them, up to a rank; fewer axes than 1 cannot be dropped.

    Args:
        weight: ``[b, ...]``.
        rank: The rank of the values that are weighed.

    Example:
        >>> match_rank(tf.ones([3]), 3).shape.as_list(), match_rank(tf.ones([3, 1]), 1).shape.as_list()
        ([3, 1, 1], [3])
    """
    while weight.shape.rank > max(rank, 1) and weight.shape[-1] == 1:
        weight = tf.squeeze(weight, axis=-1)
    while weight.shape.rank < rank:
        weight = tf.expand_dims(weight, -1)
    return weight


def _combine_masks(first: tf.Tensor | None, second: tf.Tensor | None, values: tf.Tensor) -> tf.Tensor | None:
    """Combine the mask of the outputs with that of a loss that ignores a class, as far as they are of the values."""
    masks = [tf.cast(mask, tf.bool) for mask in (first, second) if mask is not None]
    masks = [mask for mask in masks if mask.shape.rank == values.shape.rank]
    return None if not masks else masks[0] if len(masks) == 1 else masks[0] & masks[1]


def _mean_over_steps(values: tf.Tensor, weights: Any) -> tf.Tensor:
    axes = list(range(1, values.shape.rank))
    if weights is None:
        return tf.reduce_mean(values, axis=axes)
    if not axes:
        return tf.where(weights > 0, values, 0.0)
    weights = tf.broadcast_to(weights, tf.shape(values))
    # A step that does not count may hold a loss that is not finite.
    total = tf.reduce_sum(tf.where(weights > 0, values * weights, 0.0), axis=axes)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights, axis=axes))
