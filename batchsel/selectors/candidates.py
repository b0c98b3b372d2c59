"""Pools that are scored by a forward pass before the batch is taken from them."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.selectors.base import Selector, State
from batchsel.selectors.checks import one_of, whole
from batchsel.selectors.drawing import filled_plan
from batchsel.selectors.exchange import Choice, Context, Plan, Seen

_SIGNALS = ("loss", "gradient_norm", "probability")


@dataclass(frozen=True, repr=False)
class Candidates(Selector):
    """Scores a shuffled pool of several batches with a forward pass and trains on its hardest batch.

    Formula: of each pool of B = pool · b samples, the b with the largest score are trained on. The score
    is the loss (online hard example mining), the norm of the loss gradient at the outputs, or 1 − the
    probability of the true class.
    Cost: B forward passes a step, counted as samples scored; no state. Biased towards the score.
    Source: A. Shrivastava, A. Gupta and R. Girshick, *Training Region-based Object Detectors with Online
    Hard Example Mining*, CVPR 2016.

    Args:
        pool: Size of a pool in batches, at least 1.
        of: The score: "loss", "gradient_norm" or "probability".

    Raises:
        UsageError: If a parameter is not of that kind.

    Example:
        >>> Candidates(pool=4).pool_size(batch_size=32)
        128
    """

    name = "candidates"
    pool: int = 2
    of: str = "loss"

    def __post_init__(self) -> None:
        whole(self, "pool", 1)
        one_of(self, "of", _SIGNALS)

    @property
    def signals(self) -> tuple[str, ...]:
        """The signal that is the score."""
        return () if self.of == "loss" else (self.of,)

    def pool_size(self, batch_size: int) -> int:
        """B."""
        return self.pool * batch_size

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """A pass over the data, a pool each step."""
        return -(-n // self.pool_size(batch_size))

    def plan(self, state: State, context: Context) -> Plan:
        """The data in random order, cut into pools."""
        order = context.rng.permutation(context.n, "candidates")
        return filled_plan(order, tf.constant(context.n), self.pool_size(context.batch_size))

    def choose(self, state: State, candidates: Seen, context: Context) -> Choice:
        """The rows of highest score; rows that only fill up the pool come last and weigh nothing."""
        scores = getattr(candidates, self.of)
        scores = 1 - scores if self.of == "probability" else scores
        scores = tf.where(candidates.valid, scores, float("-inf"))
        positions = tf.math.top_k(scores, context.batch_size).indices
        return Choice(positions, tf.cast(tf.gather(candidates.valid, positions), tf.float32))
