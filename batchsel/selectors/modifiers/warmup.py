"""Equal chances at the start."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Warmup(Modifier):
    """Gives all samples the same score for the first passes; unseen ones still come first.

    Formula: s_i ← 1 while samples trained on < passes · n.
    Cost: none.
    Source: the warm-up epochs of I. Loshchilov and F. Hutter, *Online Batch Selection*, 2015, and others.

    Args:
        passes: Length of the warm-up in passes over the data, at least 0.

    Raises:
        UsageError: If `passes` is negative.

    Example:
        >>> Warmup(2)
        warmup(passes=2)
    """

    name = "warmup"
    uses_training_losses = False
    passes: float = 1

    def __post_init__(self) -> None:
        in_range(self, "passes", 0, float("inf"), upper_open=True)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Ones (infinities kept) during the warm-up, the scores after it."""
        equal = tf.where(tf.math.is_inf(scores), scores, tf.ones_like(scores))
        return tf.where(context.passes < self.passes, equal, scores)
