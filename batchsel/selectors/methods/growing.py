"""A growing random subset of the data: the control of a curriculum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.core.parameters import PositiveShare
from batchsel.core.rng import Rng
from batchsel.selectors.base import Selector, State
from batchsel.selectors.modifiers.pacing import share_in_use
from batchsel.selectors.ops.sampling import padded_plan, partition_kept
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Growing(Selector):
    """A random subset that grows to all data: a curriculum without its order, the control of every curriculum.

    Formula: with one random order of the samples for the whole run, a pass holds the first ⌈g(t) n⌉ of them,
    reshuffled; g rises from `start` at progress 0 to 1 at progress `end`, as in `pacing`.
    Cost: O(n) a pass, no state, no extra forward pass.
    Source: the random curriculum of X. Wu, E. Dyer and B. Neyshabur, *When Do Curricula Work?*, ICLR 2021,
    https://arxiv.org/abs/2012.03107

    Args:
        start: Share of the data at the start, in (0, 1].
        end: Progress from which all data are in use, in (0, 1].
        form: "exponential" (geometric), "linear" or "step", as in `Pacing`.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Growing(start=0.2)
        growing(start=0.2, end=0.5, form='exponential')
    """

    name = "growing"
    requires_nonnegative_losses = False
    uses_training_losses = False
    start: PositiveShare = 0.1
    end: PositiveShare = 0.5
    form: Literal["exponential", "linear", "step"] = "exponential"

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass over all data."""
        return -(-n // batch_size)

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass over the subset in use, in random order."""
        share = share_in_use(self.form, self.start, self.end, context.progress)
        count = tf.cast(tf.math.ceil(share * context.n - 1e-6), tf.int32)
        ranks = Rng(context.seed, tf.zeros([], tf.int64)).permutation(context.n, "growing/part")
        rows, kept = partition_kept(context.rng.permutation(context.n, "growing"), ranks < count)
        return padded_plan(rows, kept, context.batch_size)
