"""A random subset of the data whose size goes up and down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import tensorflow as tf

from batchsel.core.parameters import Between, PositiveShare, Share
from batchsel.errors import UsageError
from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Volume(Selector):
    """A new random subset each pass, smaller and larger by turns, of a given size on average.

    Formula: `period` passes hold ⌈(keep − swing) n⌉ samples, drawn at random each time, the next `period` passes
    ⌈(keep + swing) n⌉, and so on; a whole cycle trains on as many samples as with `rs2(keep)`.
    Cost: O(n) a pass, no state, no extra forward pass. Unbiased over a pass.
    Source: S. Yang et al., *Beyond What to Select: A Plug-and-play Oscillatory Data-Volume Scheduling for Efficient
    Model Training*, 2026, https://arxiv.org/abs/2605.14773, known here from its abstract, which states the alternation
    of phases of low and high volume at an equal budget; the form, the swing and the period are choices of batchsel.
    There the volume is that of any selector; here that of random subsets.

    Args:
        keep: Share of the data in a pass on average, in (0, 1].
        swing: Difference from it in either direction, in [0, 1]; both shares must lie in (0, 1].
        period: Passes until the share changes, at least 1.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Volume(keep=0.6)
        volume(keep=0.6, swing=0.2, period=1)
    """

    name = "volume"
    requires_nonnegative_losses = False
    uses_training_losses = False
    keep: PositiveShare = 0.7
    swing: Share = 0.2
    period: Annotated[int, Between(1, 2**20)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.swing < self.keep <= 1 - self.swing + 1e-9:
            raise UsageError(
                f"volume: keep - swing must be above 0 and keep + swing at most 1, got keep={self.keep},"
                f" swing={self.swing}."
            )

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass over all data."""
        return -(-n // batch_size)

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass over a random subset."""
        is_high = tf.math.floormod(context.plans // self.period, 2) == 1
        low, high = (self._size(sign * self.swing, context.n) for sign in (-1, 1))
        order = context.rng.permutation(context.n, "volume")
        return padded_plan(order, tf.where(is_high, high, low), context.batch_size)

    def _size(self, swing: float, n: int) -> int:
        return min(n, max(1, math.ceil((self.keep + swing) * n - 1e-6)))
