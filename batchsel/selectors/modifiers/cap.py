"""A guard against the hardest samples: wrong labels and outliers live there."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range, one_of
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.ops.ranking import quantile
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Cap(Modifier):
    """Cuts scores off at a quantile, or leaves the samples above it out.

    Formula: with q the quantile of the known scores, s_i ← min(s_i, q), or with `above` "skip" s_i ← 0 where s_i > q.
    Cost: O(n) for each plan.
    Source: the loss percentile above which samples are dropped in L. Jiang et al., *MentorNet*, ICML 2018,
    https://arxiv.org/abs/1712.05055

    Args:
        quantile: In (0, 1].
        above: "clip" or "skip".

    Raises:
        UsageError: If a parameter is not of that kind.

    Example:
        >>> import tensorflow as tf
        >>> Cap(0.5).modify(tf.constant([1.0, 2.0, 3.0, 4.0], tf.float64), context=None).numpy().tolist()
        [1.0, 2.0, 2.0, 2.0]
    """

    name = "cap"
    uses_training_losses = False
    quantile: float = 0.95
    above: str = "clip"

    def __post_init__(self) -> None:
        in_range(self, "quantile", 0, 1, lower_open=True)
        one_of(self, "above", ("clip", "skip"))

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """The scores below the quantile, infinities kept."""
        limit = quantile(scores, self.quantile)
        high = tf.math.is_finite(scores) & (tf.cast(scores, tf.float32) > limit)
        return tf.where(high, tf.cast(limit, tf.float64) if self.above == "clip" else tf.zeros_like(scores), scores)
