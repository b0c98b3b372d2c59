"""Chances by place among the scores, from the lowest up."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.ops.ranking import descending_ranks
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Percentile(Modifier):
    """The share of scores that are not higher, raised to a power: a probability for every sample.

    Formula: s_i ← max(floor, F(s_i)^power), where F is the empirical distribution of the scores (ties in random order).
    Followed by `keep`, the expected share kept is 1 / (power + 1) where the floor is 0.
    Cost: O(n log n) for each plan.
    Source: A. Jiang et al., *Accelerating Deep Learning by Focusing on the Biggest Losers*, 2019,
    https://arxiv.org/abs/1910.00762

    Args:
        power: β, at least 0; 0 keeps everything.
        floor: Least probability, in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Percentile(power=3.0)
        percentile(power=3.0, floor=0.0)
    """

    name = "percentile"
    uses_training_losses = False
    power: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        in_range(self, "power", 0, float("inf"), upper_open=True)
        in_range(self, "floor", 0, 1)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Probabilities, infinities kept."""
        place = 1 - tf.cast(descending_ranks(scores, context.rng), tf.float64) / context.n
        chances = tf.maximum(tf.pow(place, self.power), self.floor)
        return tf.where(tf.math.is_inf(scores), scores, chances)
