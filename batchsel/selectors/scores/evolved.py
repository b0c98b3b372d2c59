"""A score by the loss and its trend."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import ShareBelowOne
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class Evolved(Score):
    """Mix of a sample's loss and its moving average, so that trends count; unseen samples come first.

    Formula: each time sample i is trained on with loss ℓ, its score is w_i = β₁ m_i + (1 − β₁) ℓ with its previous
    average m_i, which then becomes m_i ← β₂ m_i + (1 − β₂) ℓ. Written out, w is the average plus (β₂ − β₁) times the
    latest difference between loss and average. The first loss is the first average.
    Cost: two floats a sample, O(n) for each plan, no extra forward pass.
    Source: *Evolved Sampling*, 2025, https://arxiv.org/abs/2509.23461, known here from its abstract: the form with two
    decay rates is a port of the idea.

    Args:
        fast: β₁ in [0, 1), weight of the average in the score.
        slow: β₂ in [0, 1), decay of the average.

    Raises:
        UsageError: If a parameter lies outside [0, 1).

    Example:
        >>> Evolved()
        evolved(fast=0.2, slow=0.9)
    """

    name = "evolved"
    fast: ShareBelowOne = 0.2
    slow: ShareBelowOne = 0.9

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[n, 2]``: score and average, infinite for unseen samples."""
        return tf.fill([n, 2], float("inf"))

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Update score and average of the samples just trained on."""
        average = tf.gather(state, stats.indices)[:, 1]
        average = tf.where(tf.math.is_inf(average), stats.loss, average)
        score = self.fast * average + (1 - self.fast) * stats.loss
        rows = tf.stack([score, self.slow * average + (1 - self.slow) * stats.loss], axis=1)
        return scatter_update(state, stats.indices, rows)

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the scores, infinite for unseen samples."""
        return state[:, 0]
