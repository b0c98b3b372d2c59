"""The fixed order of the data."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Fixed(Selector):
    """The same order in every pass, 0 ... n-1: the lower bound of a comparison.

    Formula: batch k of a pass is kb, ..., kb + b − 1.
    Cost: none. A bad choice for data sorted by class.
    Source: the sequential order of incremental gradient methods; see D. Bertsekas, *Incremental Gradient,
    Subgradient, and Proximal Methods for Convex Optimization*, 2011.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("fixed")
        fixed
    """

    name = "fixed"
    requires_nonnegative_losses = False
    uses_training_losses = False

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass."""
        return -(-n // batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return the rows of the last batch of a pass, unless it is full."""
        return n % batch_size

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass in the order of the data."""
        return padded_plan(tf.range(context.n), tf.constant(context.n), context.batch_size)
