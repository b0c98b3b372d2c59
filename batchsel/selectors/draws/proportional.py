"""The default draw: samples in proportion to their scores."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Interval
from batchsel.selectors.ops.plan_interval import interval_in_steps
from batchsel.selectors.ops.sampling import plan_in_proportion
from batchsel.selectors.pipe import Draw
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Proportional(Draw):
    """A draw in proportion to the scores; samples of infinite score come first.

    Formula: of the m rows of a plan, sample i gets m s_i / Σ s in expectation, rounded down or up. The rows are dealt
    to the batches, so copies of a sample land in different batches.
    Cost: O(n) for each plan.
    Source: random-order systematic sampling, R. Goodman and L. Kish, *Controlled Selection*, JASA 1950.

    Args:
        every: Steps from plan to plan, or a share of a pass if below 1; None for a twentieth of a pass. Shares are
            at least 32 steps, so that planning is cheap where steps are tiny, and at most half a pass.

    Raises:
        UsageError: If `every` is not such a number.

    Example:
        >>> Proportional().steps_per_plan(2048, 32)
        32
    """

    name = "proportional"
    plans_passes = False
    every: Interval = None

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return `every` in steps."""
        return interval_in_steps(self.every, n, batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return 0: all batches are full."""
        return 0

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """Sample the next plan; all weights are 1."""
        steps = self.steps_per_plan(context.n, context.batch_size)
        return plan_in_proportion(scores, steps, context.batch_size, context.rng)
