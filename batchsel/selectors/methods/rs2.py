"""RS2, a random subset each pass: the control of every selector that prunes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import PositiveShare
from batchsel.core.rng import Rng
from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class RS2(Selector):
    """A new random subset of the data every pass.

    Formula: with m = ⌈keep n⌉, the passes take the rows 0 ... m − 1, m ... 2 m − 1 and so on of a uniformly random
    permutation of the data, until fewer than m are left, then those of a new one: subsets are disjoint as long as
    possible. The gain of a selector over this one at the same share of the data is the gain of its choice.
    Cost: O(n) a pass, no state, no extra forward pass. Unbiased over passes.
    Source: P. Okanovic et al., *Repeated Random Sampling for Minimizing the Time-to-Accuracy of Learning*, ICLR 2024,
    https://arxiv.org/abs/2305.18424, without replacement.

    Args:
        keep: Share of the data in a pass, in (0, 1].

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("rs2(0.3)").steps_per_plan(1000, 100)
        3
    """

    keep: PositiveShare = 0.5

    name = "rs2"
    plans_passes = True
    requires_nonnegative_losses = False
    uses_training_losses = False

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass over the subset."""
        return -(-self._size(n) // batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return the rows of the last batch of a pass over the subset, unless it is full."""
        return self._size(n) % batch_size

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass over the next random subset."""
        size = self._size(context.n)
        subsets = context.n // size
        order = Rng(context.seed, context.plans // subsets).permutation(context.n, "rs2")
        place = tf.cast(tf.math.floormod(context.plans, subsets), tf.int32) * size
        return padded_plan(tf.gather(order, place + tf.range(size)), tf.constant(size), context.batch_size)

    def _size(self, n: int) -> int:
        return max(1, math.ceil(self.keep * n - 1e-9))
