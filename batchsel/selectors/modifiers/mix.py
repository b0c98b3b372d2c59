"""A share of equal chances in every draw."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Mix(Modifier):
    """Mixes the distribution with the uniform one, so that no sample is left out for ever.

    Formula: s_i ← (1 − u) s_i / mean(s) + u, hence P(i) ≥ u / n.
    Cost: O(n) for each plan.
    Source: the defensive mixture of T. Hesterberg, *Weighted Average Importance Sampling and Defensive
    Mixture Distributions*, Technometrics 37 (1995).

    Args:
        uniform: u in [0, 1].

    Raises:
        UsageError: If `uniform` lies outside [0, 1].

    Example:
        >>> import tensorflow as tf
        >>> Mix(0.5).modify(tf.constant([0.0, 2.0], tf.float64), context=None).numpy().tolist()
        [0.5, 1.5]
    """

    name = "mix"
    uses_training_losses = False
    uniform: float = 0.1

    def __post_init__(self) -> None:
        in_range(self, "uniform", 0, 1)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """The mixture, infinities kept; equal chances where no score is positive."""
        finite = tf.math.is_finite(scores)
        count = tf.maximum(tf.reduce_sum(tf.cast(finite, tf.float64)), 1)
        mean = tf.reduce_sum(tf.where(finite, scores, 0)) / count
        mixed = (1 - self.uniform) * scores / tf.where(mean > 0, mean, 1) + self.uniform
        return tf.where(finite, mixed, scores)
