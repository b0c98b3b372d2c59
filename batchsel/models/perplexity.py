"""Perplexity, e to the power of the mean cross-entropy of a subword."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from batchsel.core import keras_private


@keras.saving.register_keras_serializable("batchsel")
class Perplexity(keras.metrics.Mean):
    """Perplexity of a language model: the effective number of subwords that it chooses between.

    The mean is over all subwords that count: labels below 0 and `ignore_class` do not, nor do masked steps.
    In training and evaluation by batchsel, those count that count in the loss.

    Args:
        name: Name of the metric.
        ignore_class: Label of steps without a target, or None. `model.evaluate` does not tell metrics what the loss
            ignores: pass both the same.
        **options: As for `keras.metrics.Mean`.

    Example:
        >>> import numpy as np
        >>> metric = Perplexity()
        >>> metric.update_state(np.array([[1, 2]]), np.zeros((1, 2, 4), np.float32))
        >>> round(float(metric.result()), 3)
        4.0
        >>> metric.update_state(np.array([[1, -1]]), np.log([[[0.25, 0.75], [0.5, 0.5]]]).astype("float32"))
        >>> round(float(metric.result()) ** 3, 3)  # 4 · 4 / 0.75
        21.333
    """

    def __init__(self, name: str = "perplexity", ignore_class: int | None = None, **options: Any) -> None:
        super().__init__(name=name, **options)
        self.ignore_class = ignore_class
        self._lent: tuple[Any, Any] | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update the metric with a batch.

        Args:
            y_true: ``int32[b, length]`` subwords.
            y_pred: ``float32[b, length, vocabulary]`` logits.
            sample_weight: ``float32[b]`` or ``float32[b, length]``, or None.
        """
        known: Any = self._lent or self._losses(y_true, y_pred)
        losses: Any = ops.cast(known[0], self.dtype)
        counts: Any = ops.cast(known[1], self.dtype)
        if sample_weight is not None:
            weights: Any = ops.cast(sample_weight, self.dtype)
            shape: Any = ops.shape(weights)
            counts *= ops.reshape(weights, [*shape, *[1] * (len(losses.shape) - len(weights.shape))])
        # A step that does not count may hold a loss that is not finite.
        super().update_state(ops.reshape(ops.where(counts > 0, losses, 0), [-1]), ops.reshape(counts, [-1]))

    @contextmanager
    def lend_losses(self, losses: Any, counts: Any) -> Iterator[None]:
        """Within the block, let `update_state` use losses of the batch that are known, rather than compute them again.

        Args:
            losses: ``float32[b, length]`` cross-entropy of each subword.
            counts: ``bool[b, length]`` the subwords that count, or None for all.
        """
        self._lent = losses, ops.ones_like(losses) if counts is None else counts
        try:
            yield
        finally:
            self._lent = None

    def result(self) -> Any:
        """Return the perplexity."""
        return ops.exp(super().result())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the same metric."""
        return {**super().get_config(), "ignore_class": self.ignore_class}

    def _losses(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        labels: Any = ops.cast(y_true, "int32")
        counts = labels >= 0
        if self.ignore_class is not None:
            counts &= labels != self.ignore_class
        mask = keras_private.get_mask(y_pred)
        if mask is not None:
            counts &= ops.cast(mask, "bool")
        labels = ops.where(counts, labels, 0)
        return keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True), counts
