"""Selection that fades as training goes on."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range, one_of
from batchsel.errors import UsageError
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Anneal(Modifier):
    """Lowers the pressure of selection geometrically until all samples have equal chances.

    Formula: s_i ← s_i^(1 − t), where t rises from 0 at progress `start` to 1 at progress `end`; the ratio
    of any two chances shrinks to 1 geometrically.
    Cost: none.
    Source: the annealed selection pressure of I. Loshchilov and F. Hutter, *Online Batch Selection for
    Faster Training of Neural Networks*, 2015.

    Args:
        to: What is approached; "uniform".
        start: Progress (samples trained on over samples budgeted) at which it begins, in [0, 1].
        end: Progress at which it is reached, in [0, 1], above `start`.

    Raises:
        UsageError: If a parameter is not of that kind.

    Example:
        >>> Anneal(end=0.5)
        anneal(to='uniform', start=0.0, end=0.5)
    """

    name = "anneal"
    uses_training_losses = False
    to: str = "uniform"
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        one_of(self, "to", ("uniform",))
        in_range(self, "start", 0, 1)
        in_range(self, "end", 0, 1)
        if self.end <= self.start:
            raise UsageError(f"anneal: end must be above start, got start={self.start}, end={self.end}.")

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """The scores to the power of 1 − t, infinities kept."""
        t = (tf.cast(context.progress, tf.float64) - self.start) / (self.end - self.start)
        powers = tf.pow(scores, 1 - tf.clip_by_value(t, 0, 1))
        return tf.where(tf.math.is_inf(scores), scores, powers)
