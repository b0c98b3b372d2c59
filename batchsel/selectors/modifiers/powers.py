"""Powers of scores, or of their ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tensorflow as tf

from batchsel.core.parameters import Amount, Between
from batchsel.selectors.base import State
from batchsel.selectors.ops.ranking import descending_ranks
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Power(Modifier):
    """A power of the scores: below 1 differences count less, above 1 more.

    Formula: s_i ← (s_i + plus)^exponent.
    Cost: none.
    Source: the priority exponent of T. Schaul et al., *Prioritized Experience Replay*, ICLR 2016,
    https://arxiv.org/abs/1511.05952

    Args:
        exponent: The power, at least 0; 0 makes all samples equally likely.
        plus: Added to the scores first, at least 0, so that samples of score 0 can be drawn.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> import tensorflow as tf
        >>> Power(0.5).modify(tf.constant([0.0, 4.0], tf.float64), context=None).numpy().tolist()
        [0.0, 2.0]
    """

    name = "power"
    exponent: Annotated[float, Between(0, 100)] = 0.6
    plus: Amount = 0.0

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the powers, infinities kept."""
        return tf.where(tf.math.is_inf(scores), scores, tf.pow(scores + self.plus, self.exponent))


@dataclass(frozen=True, repr=False)
class RankPower(Modifier):
    """A power of the rank of scores, so that outliers count by their rank only.

    Formula: with rank r_i = 1 ... n from the highest score down (ties in random order), s_i ← r_i^(−exponent).
    Cost: O(n log n) for each plan.
    Source: rank-based prioritization of T. Schaul et al., *Prioritized Experience Replay*, ICLR 2016,
    https://arxiv.org/abs/1511.05952

    Args:
        exponent: At least 0; 0 makes all samples equally likely.

    Raises:
        UsageError: If `exponent` is negative.

    Example:
        >>> RankPower()
        rank_power(exponent=0.7)
    """

    name = "rank_power"
    exponent: Annotated[float, Between(0, 100)] = 0.7

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return powers of the ranks, infinities kept."""
        ranks = tf.cast(descending_ranks(scores, context.rng), tf.float64) + 1
        return tf.where(tf.math.is_inf(scores), scores, tf.pow(ranks, -self.exponent))
