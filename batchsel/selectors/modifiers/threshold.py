"""Samples above a loss that is fixed."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.ops.sampling import kth_largest
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Threshold(Modifier):
    """Wants the samples whose score lies above a threshold, at least a batch of them, and no others.

    Formula: s_i ← 1 where s_i > at, or where s_i is among the b largest; else 0.
    Cost: O(n) for each plan.
    Source: the loss-based selection for text of Training-Batch-Selection (Human Augment Analytics Group).

    Args:
        at: The threshold, at least 0.

    Raises:
        UsageError: If `at` is negative.

    Example:
        >>> Threshold()
        threshold(at=0.5)
    """

    name = "threshold"
    uses_training_losses = False
    at: float = 0.5

    def __post_init__(self) -> None:
        in_range(self, "at", 0, float("inf"), upper_open=True)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """1 for the samples wanted and 0 for others, infinities kept."""
        values = tf.cast(scores, tf.float32)
        above, least = values > self.at, min(context.batch_size, context.n)
        wanted = tf.cond(
            tf.math.count_nonzero(above) < least,
            lambda: above | (values >= kth_largest(values, least)),
            lambda: above,
        )
        return tf.where(tf.math.is_inf(scores), scores, tf.cast(wanted, tf.float64))
