"""Independent uniform draws, with replacement."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.selectors.base import Selector, State
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class WithReplacement(Selector):
    """An independent uniform draw from all samples for every row of every batch.

    Formula: i ~ U{0, ..., n − 1} for each row. A pass misses a share 1/e of the samples; this, not shuffling, is the
    baseline of importance sampling with replacement.
    Cost: O(b) a step, no state, no extra forward pass. Unbiased.
    Source: stochastic gradient descent as its theory assumes; see K. Mishchenko, A. Khaled and P. Richtárik,
    *Random Reshuffling: Simple Analysis with Vast Improvements*, NeurIPS 2020.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("with_replacement")
        with_replacement
    """

    name = "with_replacement"
    plans_passes = False
    requires_nonnegative_losses = False
    uses_training_losses = False

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of about a pass."""
        return -(-n // batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return 0: all batches are full."""
        return 0

    def plan(self, state: State, context: Context) -> Plan:
        """Draw rows independently."""
        steps = self.steps_per_plan(context.n, context.batch_size)
        words = context.rng.bits([steps * context.batch_size], "with_replacement")
        # The upper part of a 31-bit number times n: the bias is below n / 2^31.
        words = tf.bitwise.bitwise_and(tf.cast(words, tf.int64), (1 << 31) - 1)
        rows = tf.cast(tf.bitwise.right_shift(words * context.n, tf.constant(31, tf.int64)), tf.int32)
        return Plan(rows, tf.ones(rows.shape), tf.constant(steps))
