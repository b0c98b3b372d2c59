"""A score by how much the predicted probability of the true class varies."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import PositiveAmount
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class PredictionVariance(Score):
    """Spread of the predicted probability of a sample's true class; unseen samples come first.

    Formula: with the variance v_i of the k_i probabilities of sample i's class when it was trained on, s_i = sqrt(v_i +
    v_i² / (k_i − 1)) + floor; the floor alone up to the second time.
    Cost: three floats a sample, O(n) for each plan, no extra forward pass. Needs class labels.
    Source: H.-S. Chang, E. Learned-Miller and A. McCallum, *Active Bias: Training More Accurate Neural Networks by
    Emphasizing High Variance Samples*, NIPS 2017, https://arxiv.org/abs/1704.07433

    Args:
        floor: Added to every score, above 0.

    Raises:
        UsageError: If `floor` is not above 0.

    Example:
        >>> PredictionVariance().signals
        ('probability',)
    """

    name = "prediction_variance"
    floor: PositiveAmount = 0.02
    signals = ("probability",)

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[n, 3]``: count, mean and sum of squared deviations (Welford's algorithm)."""
        return tf.zeros([n, 3])

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Add the probabilities of the samples just trained on."""
        count, mean, squares = tf.unstack(tf.gather(state, stats.indices), axis=1)
        count += 1
        step = stats.probability - mean
        mean += step / count
        squares += step * (stats.probability - mean)
        return scatter_update(state, stats.indices, tf.stack([count, mean, squares], axis=1))

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the spreads, infinite for unseen samples."""
        count, squares = state[:, 0], tf.maximum(state[:, 2], 0.0)
        variance = squares / tf.maximum(count - 1, 1.0)
        spread = tf.sqrt(variance + tf.square(variance) / tf.maximum(count - 1, 1.0)) + self.floor
        return tf.where(count > 0, spread, float("inf"))
