"""Perplexity, e to the power of the mean cross-entropy of a subword."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("batchsel")
class Perplexity(keras.metrics.Mean):
    """Perplexity of a language model: the effective number of subwords that it chooses between.

    Sequences have the same length, so the mean over sequences is the mean over subwords.

    Example:
        >>> import numpy as np
        >>> metric = Perplexity()
        >>> metric.update_state(np.array([[1, 2]]), np.zeros((1, 2, 4), np.float32))
        >>> round(float(metric.result()), 3)
        4.0
    """

    def __init__(self, name: str = "perplexity", **options: Any) -> None:
        super().__init__(name=name, **options)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update the metric with a batch.

        Args:
            y_true: ``int32[b, length]`` subwords.
            y_pred: ``float32[b, length, vocabulary]`` logits.
            sample_weight: ``float32[b]`` or ``float32[b, length]``, or None.
        """
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        if sample_weight is not None and len(sample_weight.shape) == 1:
            losses = ops.mean(losses, axis=-1)
        super().update_state(losses, sample_weight)

    def update_from_losses(self, losses: Any, weights: Any) -> None:
        """Update the metric with the losses of a batch.

        Args:
            losses: ``float32[b]`` mean cross-entropy of each sequence.
            weights: ``float32[b]``.
        """
        super().update_state(losses, weights)

    def result(self) -> Any:
        """Return the perplexity."""
        return ops.exp(super().result())
