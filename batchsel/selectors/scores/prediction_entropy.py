"""A score by how inconsistent the latest predictions were."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import tensorflow as tf

from batchsel.core.parameters import INT32, Between
from batchsel.selectors.ops.classes import number_of_classes
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class PredictionEntropy(Score):
    """Entropy, from 0 to 1, of the latest classes predicted for a sample; unseen samples come first.

    Formula: with the last `window` predicted classes of sample i (fewer at first) and their shares p_c, s_i = −Σ_c p_c
    ln p_c / ln(classes), at most 1.
    Cost: window + 1 integers a sample, O(n · window²) for each plan, no extra forward pass. Needs class labels.
    Source: H. Song et al., *Carpe Diem, Seize the Samples Uncertain "At the Moment" for Adaptive Batch Selection*,
    CIKM 2020, https://arxiv.org/abs/1911.08050

    Args:
        window: Number of latest predictions, at least 2.
        classes: Number of classes, at least 2; None for that of the labels, or where data are streamed the highest
            class predicted so far plus one.

    Raises:
        UsageError: If a parameter is too small.

    Example:
        >>> PredictionEntropy().signals
        ('predicted',)
    """

    name = "prediction_entropy"
    window: Annotated[int, Between(2, 256)] = 10
    classes: Annotated[int, Between(2, INT32)] | None = None
    signals = ("predicted",)

    def init(self, n: int) -> tf.Tensor:
        """Return ``int32[n, window + 1]``: number of predictions, and the latest of them, -1 if there are fewer."""
        return tf.concat([tf.zeros([n, 1], tf.int32), tf.fill([n, self.window], -1)], axis=1)

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Replace the oldest prediction by the newest."""
        rows = tf.gather(state, stats.indices)
        oldest = rows[:, :1] % self.window + 1
        columns = tf.range(self.window + 1)[None]
        rows = tf.where(columns == oldest, tf.cast(stats.predicted, tf.int32)[:, None], rows)
        return scatter_update(state, stats.indices, tf.where(columns == 0, rows + 1, rows))

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the entropies, infinite for unseen samples."""
        labels = state[:, 1:]
        size = tf.cast(tf.minimum(state[:, 0], self.window), tf.float32)
        entropy = tf.zeros(size.shape)
        for i in range(self.window):
            label = labels[:, i : i + 1]
            count = tf.reduce_sum(tf.cast(labels == label, tf.float32), axis=1)
            share = count / tf.maximum(size, 1)
            entropy -= tf.where(label[:, 0] >= 0, tf.math.log(tf.maximum(share, 1e-9)), 0.0)
        entropy /= tf.maximum(size, 1) * self._most(labels, context)
        return tf.where(size > 0, tf.clip_by_value(entropy, 0, 1), float("inf"))

    def _most(self, labels: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the entropy of equal shares of all classes, ``float32[]``."""
        if self.classes is not None:
            return tf.constant(math.log(self.classes), tf.float32)
        classes = number_of_classes(context)
        if classes is None:
            classes = tf.cast(tf.maximum(tf.reduce_max(labels) + 1, 2), tf.float64)
        return tf.cast(tf.math.log(classes), tf.float32)
