"""The plain draw: samples in proportion to their score."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.selectors.base import Draw
from batchsel.selectors.checks import whole
from batchsel.selectors.drawing import dealt, first_then_shares, systematic
from batchsel.selectors.exchange import Context, Plan

_LARGE = 2_000_000


@dataclass(frozen=True, repr=False)
class Proportional(Draw):
    """Draws each batch in proportion to the scores; samples of infinite score come first.

    Formula: of the m rows of a plan, sample i gets m s_i / Σ s in expectation, rounded down or up. The
    rows are dealt out to the batches, so copies of a sample land in different batches.
    Cost: O(n) for each plan.
    Source: random-order systematic sampling, R. Goodman and L. Kish, *Controlled Selection*, JASA 1950.

    Args:
        every: Steps from plan to plan; None for a twentieth of a pass, but at least 32 steps and at most
            half a pass, so that planning is cheap where steps are tiny.

    Raises:
        UsageError: If `every` is not a positive whole number.

    Example:
        >>> Proportional().steps_per_plan(2048, 32)
        32
    """

    name = "proportional"
    every: int | None = None

    def __post_init__(self) -> None:
        if self.every is not None:
            whole(self, "every", 1)

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """`every`, or the default given there."""
        return steps_between_plans(self.every, n, batch_size)

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """The next plan, all weights 1."""
        steps = self.steps_per_plan(context.n, context.batch_size)
        rows = steps * context.batch_size
        drawn = systematic(first_then_shares(scores, rows), rows, context.rng, "proportional")
        return Plan(dealt(drawn, steps), tf.ones([rows]), tf.constant(steps))


def steps_between_plans(every: int | None, n: int, batch_size: int) -> int:
    """The steps of a plan that follows the losses.

    Args:
        every: The user's wish, or None.
        n: Samples in the data set.
        batch_size: b.

    Returns:
        `every`, else a twentieth of a pass (an eighth from two million samples on, where plans take long), but at least
        32 steps and at most half a pass.

    Example:
        >>> steps_between_plans(None, 60_000, 128), steps_between_plans(None, 100, 50)
        (32, 1)
    """
    if every is not None:
        return every
    part = -(-n // ((20 if n < _LARGE else 8) * batch_size))
    return max(1, min(max(32, part), n // (2 * batch_size)))
