"""Gradient norms of all samples under one model, early in a run: the score EL2N."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.training.inputs.batch import Batch, gather_rows, to_tensors
from batchsel.training.trainer import Trainer


class EarlyGradientNorms(keras.callbacks.Callback):
    """Callback that scores all samples once, at the end of the first interval that ends after a share of the run.

    The norm is that of the loss gradient at the outputs, ‖p − y‖ for cross-entropy, of all samples under the same
    model, in inference mode.

    Args:
        trainer: The trainer; its selector has the signal "gradient_norm".
        x: Inputs of the training data.
        y: Their targets.
        share: Progress from which on it scores; the end of the run at the latest.
    """

    def __init__(self, trainer: Trainer, x: Any, y: Any, share: float) -> None:
        super().__init__()
        self._trainer = trainer
        self._data = to_tensors(x, y)
        self._share = share
        self.norms = np.empty(0, np.float32)
        """``float32[n]``, empty before they are computed."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Score all samples if it is time."""
        if not len(self.norms) and self._trainer.progress >= self._share - 1e-6:
            self.norms = self._score()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Score all samples if that has not been done."""
        if not len(self.norms):
            self.norms = self._score()

    def _score(self) -> np.ndarray:
        step, size, n = self._trainer.engine.step, self._trainer.batch_size, self._trainer.loop.n

        def score(indices: tf.Tensor) -> tf.Tensor:
            return step.score(Batch(indices, tf.ones([size]), *gather_rows(self._data, indices))).gradient_norm

        traced = own_function(score)
        blocks = np.resize(np.arange(n, dtype=np.int32), [-(-n // size), size])
        return np.concatenate([traced(tf.constant(block)).numpy() for block in blocks])[:n]
