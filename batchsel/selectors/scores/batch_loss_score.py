"""Moving average of the losses of the batches that each sample was in."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import ShareBelowOne
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class BatchLossScore(Score):
    """Bias-corrected moving average of the loss of the batches that a sample was in: needs no loss of a single sample.

    Formula: each time sample i is trained on in a batch of mean loss L, m_i ← α m_i + (1 − α) L and c_i ← α c_i +
    (1 − α), both from 0; the score is m_i / c_i, and infinite while c_i = 0. For InfoBatch by batch losses,
    ``batch_loss_score | prune | keep(until=0.875)``, for SeTa
    ``batch_loss_score | difficulty_window | thin | keep(until=0.875)``. Works with models that have a `train_step` or
    `compute_loss` of their own, and with losses that are one number for a batch.
    Cost: two floats a sample, O(n) for each plan, no extra forward pass. A sample's own loss is 1 / b of what it is
    scored by; the rest is noise of the other samples, which averages out over passes.
    Source: Q. Zhou et al., *Batch Loss Score for Dynamic Data Pruning*, CVPR 2026, https://arxiv.org/abs/2604.04681,
    α = 0.7 to 0.9; reported there: 20 to 50 % of the samples left out without loss of accuracy. There scores begin at
    0, without correction, and unseen samples have the lowest; and with InfoBatch the loss of a batch is multiplied by
    the mean weight of its samples. Here `keep(rescale=True)` weighs samples, and is for models whose losses of samples
    are known.

    Args:
        alpha: α in [0, 1); 0 keeps only the last batch.

    Raises:
        UsageError: If `alpha` lies outside [0, 1).

    Example:
        >>> import tensorflow as tf
        >>> state = tf.constant([[0.2, 0.1], [0.0, 0.0]])
        >>> BatchLossScore(0.9).score(state, context=None).numpy().tolist()
        [2.0, inf]
    """

    name = "batch_loss_score"
    accepts_batch_losses = True
    alpha: ShareBelowOne = 0.9

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[n, 2]``: m and c."""
        return tf.zeros([n, 2])

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Update the averages of the samples just trained on by the mean loss of their batch."""
        # In double precision, so that the order of summation does not show.
        real = tf.cast(stats.valid, tf.float64)
        total = tf.reduce_sum(tf.where(stats.valid, tf.cast(stats.loss, tf.float64), 0.0))
        loss = tf.cast(total / tf.reduce_sum(real), tf.float32)
        latest = tf.stack([tf.fill(tf.shape(stats.loss), loss), tf.ones_like(stats.loss)], axis=1)
        rows = self.alpha * tf.gather(state, stats.indices) + (1 - self.alpha) * latest
        return scatter_update(state, stats.indices, rows)

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return m / c, infinite for samples not trained on yet."""
        average, correction = state[:, 0], state[:, 1]
        return tf.where(correction > 0, average / tf.where(correction > 0, correction, 1.0), float("inf"))
