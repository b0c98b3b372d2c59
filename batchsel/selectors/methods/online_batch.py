"""Online batch selection."""

from __future__ import annotations

from batchsel.core.parameters import Amount, AtLeastOne, Interval, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.proportional import Proportional
from batchsel.selectors.modifiers.blending import Warmup
from batchsel.selectors.modifiers.pressures import RankPressure
from batchsel.selectors.ops.plan_interval import SORTED_PLAN_INTERVAL
from batchsel.selectors.scores.last_loss import LastLoss


@checked
def online_batch(
    start: AtLeastOne = 100.0,
    end: AtLeastOne = 1.0,
    warmup: Amount = 1,
    every: Interval = SORTED_PLAN_INTERVAL,
) -> Part:
    """Draw samples by the rank of their last loss, with a selection pressure that decays to none.

    Formula: ``last_loss | rank_pressure(start, end) | warmup(passes) | proportional(every)``: the sample of highest
    loss is drawn e^((n − 1) / n) times as often as that of lowest, with e from `start` to `end` over the run.
    Cost: no state of its own, O(n log n) for each plan, no extra forward pass. Biased toward high loss. The paper also
    recomputes all losses from time to time; here they stay as they were when a sample was last trained on.
    Source: I. Loshchilov and F. Hutter, *Online Batch Selection for Faster Training of Neural Networks*, ICLR 2016
    workshop, https://arxiv.org/abs/1511.06343; reported there: MNIST about five times faster with AdaDelta and
    Adam at constant learning rates.

    Args:
        start: Pressure at the start, at least 1.
        end: Pressure at the end, at least 1.
        warmup: Passes of uniform draws first.
        every: Steps from plan to plan, or the share of a pass, as in `Proportional`; an eighth, since each plan sorts.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> online_batch()
        last_loss | rank_pressure(start=100.0, end=1.0) | warmup(passes=1.0, most=1.0) | proportional(...)
    """
    return LastLoss() | RankPressure(start, end) | Warmup(warmup) | Proportional(every)


OnlineBatch = online_batch
