"""The chance to be kept, linear in the score."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.ops.ranking import mean_of_finite
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class KeepShare(Modifier):
    """Makes probabilities of scores: a floor for all, and more for those above the mean.

    Formula: s_i ← min(1, floor + slope · s_i / mean(s)).
    Cost: O(n) for each plan.
    Source: the plain soft-keep rule of batchsel.

    Args:
        floor: Least probability, in [0, 1].
        slope: What a sample of mean score gets on top, at least 0.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> import tensorflow as tf
        >>> KeepShare(0.1, 0.5).modify(tf.constant([0.0, 1.0, 2.0], tf.float64), context=None).numpy().tolist()
        [0.1, 0.6, 1.0]
    """

    name = "keep_share"
    uses_training_losses = False
    floor: float = 0.1
    slope: float = 0.5

    def __post_init__(self) -> None:
        in_range(self, "floor", 0, 1)
        in_range(self, "slope", 0, float("inf"), upper_open=True)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Probabilities, infinities kept."""
        chances = tf.minimum(self.floor + self.slope * scores / mean_of_finite(scores), 1)
        return tf.where(tf.math.is_inf(scores), scores, chances)
