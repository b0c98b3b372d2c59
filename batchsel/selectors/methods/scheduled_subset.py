"""Random subsets of given sizes: the control of a selector that kept as many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tensorflow as tf

from batchsel.core.parameters import Length, PositiveShare
from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class ScheduledSubset(Selector):
    """A new random subset of the data each pass, of a stated size for each pass.

    Formula: pass t = 1, 2, ... holds ⌈κ_t n⌉ samples, drawn at random each time; passes after the last of the list are
    as large as the last. With the shares that a pruning selector kept, the difference between the two is due to which
    samples that one kept, and not to how many when. Experiments run it by themselves beside each arm that prunes.
    Cost: O(n) a pass, no state, no extra forward pass. Unbiased over a pass.
    Source: the random variant of Shriram M. S. et al., *Progressive Data Dropout*, NeurIPS 2025,
    https://arxiv.org/abs/2505.22342, which draws as many samples as their selective one kept.

    Args:
        shares: Share of the data in each pass, each in (0, 1].

    Raises:
        UsageError: If a share lies outside its range, or there is none.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("scheduled_subset([1.0, 0.5])").steps_per_plan(1000, 100)
        10
    """

    name = "scheduled_subset"
    requires_nonnegative_losses = False
    uses_training_losses = False
    shares: Annotated[Sequence[PositiveShare], Length(1, 10_000)] = (1.0, 0.5)

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass over all data."""
        return -(-n // batch_size)

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass over a random subset."""
        sizes = tf.constant([max(1, math.ceil(share * context.n - 1e-6)) for share in self.shares])
        number = tf.minimum(tf.cast(context.plans, tf.int32), len(self.shares) - 1)
        order = context.rng.permutation(context.n, "scheduled_subset")
        return padded_plan(order, tf.gather(sizes, number), context.batch_size)
