"""A score by forgetting events: how often a sample was learned and forgotten again."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import PositiveAmount
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class Forgetting(Score):
    """Forgetting events of a sample; samples that were never learned get the highest score.

    Formula: sample i is forgotten when its prediction is wrong and was correct the time before. The score is plus + the
    number of such events, and plus + 1 + the largest number of any sample if i was never predicted correctly. Unseen
    samples come first.
    Cost: two numbers a sample, O(n) for each plan, no extra forward pass. Needs class labels.
    Source: M. Toneva et al., *An Empirical Study of Example Forgetting during Deep Neural Network Learning*, ICLR 2019,
    https://arxiv.org/abs/1812.05159. There the least forgotten samples are removed for good; here they are drawn less
    often.

    Args:
        plus: Added to every score, above 0, so that samples that are never forgotten can be drawn.

    Raises:
        UsageError: If `plus` is not above 0.

    Example:
        >>> Forgetting().signals
        ('correct',)
    """

    name = "forgetting"
    plus: PositiveAmount = 0.5
    signals = ("correct",)

    def init(self, n: int) -> tf.Tensor:
        """Return ``int32[n, 2]``: events, and last outcome (-1 unseen, 0 never right, 1 wrong after right, 2 right)."""
        return tf.tile(tf.constant([[0, -1]]), [n, 1])

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Count the events of the samples just trained on."""
        events, last = tf.unstack(tf.gather(state, stats.indices), axis=1)
        right = stats.correct > 0.5
        events += tf.cast((last == 2) & tf.logical_not(right), tf.int32)
        last = tf.where(right, 2, tf.where(last > 0, 1, 0))
        return scatter_update(state, stats.indices, tf.stack([events, last], axis=1))

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the number of events and `plus`, infinite for unseen samples."""
        events, last = state[:, 0], state[:, 1]
        events = tf.where(last == 0, tf.reduce_max(events) + 1, events)
        return tf.where(last < 0, float("inf"), tf.cast(events, tf.float32) + self.plus)
