"""Shuffling: the baseline of every comparison."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Random(Selector):
    """A new random order every pass, with each sample exactly once.

    Formula: batch k of a pass is π(kb), ..., π(kb + b − 1) for a uniformly random permutation π. `model.fit`
    does the same; it does not draw with replacement.
    Cost: O(n) a pass, no state, no extra forward pass. Unbiased over a pass.
    Source: random reshuffling; see K. Mishchenko, A. Khaled and P. Richtárik, *Random Reshuffling: Simple Analysis with
    Vast Improvements*, NeurIPS 2020.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("random")
        random
    """

    name = "random"
    requires_nonnegative_losses = False
    uses_training_losses = False

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass."""
        return -(-n // batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return the rows of the last batch of a pass, unless it is full."""
        return n % batch_size

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass in random order."""
        order = context.rng.permutation(context.n, "random")
        return padded_plan(order, tf.constant(context.n), context.batch_size)
