"""Samples by how often they were learned and forgotten again."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class Forgetting(Score):
    """Score of a sample: its forgetting events; samples that were never learned count with the most of all.

    Formula: sample i is forgotten when it is misclassified and was classified rightly the time before. The score is
    plus + the number of such events, and plus + 1 + the largest number of any sample where i was never classified
    rightly. Unseen samples come first.
    Cost: two numbers a sample, O(n) for each plan, no extra forward pass. Needs class labels.
    Source: M. Toneva et al., *An Empirical Study of Example Forgetting during Deep Neural Network Learning*, ICLR 2019,
    https://arxiv.org/abs/1812.05159. There the least forgotten are removed once and for all; here they are drawn less.

    Args:
        plus: What every sample gets, above 0, so that unforgettable ones are drawn at all.

    Raises:
        UsageError: If `plus` is not above 0.

    Example:
        >>> Forgetting().signals
        ('correct',)
    """

    name = "forgetting"
    plus: float = 0.5
    signals = ("correct",)

    def __post_init__(self) -> None:
        in_range(self, "plus", 0, float("inf"), lower_open=True, upper_open=True)

    def init(self, n: int) -> tf.Tensor:
        """``int32[n, 2]``: events, and the last outcome: -1 unseen, 0 never right, 1 wrong after right, 2 right."""
        return tf.tile(tf.constant([[0, -1]]), [n, 1])

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Counts the events of the samples just trained on."""
        events, last = tf.unstack(tf.gather(state, stats.indices), axis=1)
        right = stats.correct > 0.5
        events += tf.cast((last == 2) & ~right, tf.int32)
        last = tf.where(right, 2, tf.where(last > 0, 1, 0))
        return scatter_update(state, stats.indices, tf.stack([events, last], axis=1))

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Events and what every sample gets, infinite for unseen samples."""
        events, last = state[:, 0], state[:, 1]
        events = tf.where(last == 0, tf.reduce_max(events) + 1, events)
        return tf.where(last < 0, float("inf"), tf.cast(events, tf.float32) + self.plus)
