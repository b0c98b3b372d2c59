"""Samples by how inconsistent their latest predictions were."""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import check_integer
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class PredictionEntropy(Score):
    """Score of a sample: the entropy of the classes predicted for it lately, from 0 to 1; unseen samples come first.

    Formula: with the last `window` predicted classes of sample i (fewer at first) and their shares p_c,
    s_i = −Σ_c p_c ln p_c / ln(classes).
    Cost: window + 1 integers a sample, O(n · window²) for each plan, no extra forward pass. Needs class labels.
    Source: H. Song et al., *Carpe Diem, Seize the Samples Uncertain "At the Moment" for Adaptive Batch Selection*,
    CIKM 2020, https://arxiv.org/abs/1911.08050

    Args:
        window: How many predictions of a sample count, at least 2.
        classes: Number of classes, at least 2.

    Raises:
        UsageError: If a parameter is too small.

    Example:
        >>> PredictionEntropy().signals
        ('predicted',)
    """

    name = "prediction_entropy"
    window: int = 10
    classes: int = 10
    signals = ("predicted",)

    def __post_init__(self) -> None:
        check_integer(self, "window", 2)
        check_integer(self, "classes", 2)

    def init(self, n: int) -> tf.Tensor:
        """``int32[n, window + 1]``: how many predictions there were, and the last of them, -1 where there are fewer."""
        return tf.concat([tf.zeros([n, 1], tf.int32), tf.fill([n, self.window], -1)], axis=1)

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Puts the newest prediction in the place of the oldest."""
        rows = tf.gather(state, stats.indices)
        place = rows[:, :1] % self.window + 1
        columns = tf.range(self.window + 1)[None]
        rows = tf.where(columns == place, tf.cast(stats.predicted, tf.int32)[:, None], rows)
        return scatter_update(state, stats.indices, tf.where(columns == 0, rows + 1, rows))

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """The entropies, infinite for unseen samples."""
        labels = state[:, 1:]
        size = tf.cast(tf.minimum(state[:, 0], self.window), tf.float32)
        entropy = tf.zeros(size.shape)
        for place in range(self.window):
            mine = labels[:, place : place + 1]
            alike = tf.reduce_sum(tf.cast(labels == mine, tf.float32), axis=1)
            share = alike / tf.maximum(size, 1)
            entropy -= tf.where(mine[:, 0] >= 0, tf.math.log(tf.maximum(share, 1e-9)), 0.0)
        entropy /= tf.maximum(size, 1) * math.log(self.classes)
        return tf.where(size > 0, tf.clip_by_value(entropy, 0, 1), float("inf"))
