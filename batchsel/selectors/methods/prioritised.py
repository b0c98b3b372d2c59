"""Prioritized sampling with importance weights."""

from __future__ import annotations

from typing import Annotated, Literal

from batchsel.core.parameters import Between, Interval, Share, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.weighted import Weighted
from batchsel.selectors.modifiers.powers import Power, RankPower
from batchsel.selectors.ops.plan_interval import SORTED_PLAN_INTERVAL
from batchsel.selectors.scores.last_loss import LastLoss

_PLUS = 1e-6


@checked
def prioritised(
    alpha: Annotated[float, Between(0, 100)] = 0.6,
    beta: Share = 0.4,
    end: Share = 1.0,
    by: Literal["loss", "rank"] = "loss",
    scale: Literal["none", "mean", "max"] = "mean",
    every: Interval = None,
) -> Part:
    """Draw samples by a power of their last loss, or of its rank, with weights that increasingly correct the bias.

    Formula: ``last_loss | power(alpha) | weighted(beta, end, scale)``: P(i) ∝ (ℓ_i + 10⁻⁶)^α, or rank_i^(−α);
    w_i ∝ (n P(i))^(−β) with β from `beta` to `end` over the run. Unseen samples come first.
    Cost: no state of its own, O(n) (by rank O(n log n)) for each plan, no extra forward pass. Unbiased if β = 1 and
    the scale is "none".
    Source: T. Schaul et al., *Prioritized Experience Replay*, ICLR 2016, https://arxiv.org/abs/1511.05952, for
    transitions in place of samples. There weights are divided by their maximum (scale "max"), which makes steps
    shorter; the default here is the mean, which does not. By rank the paper has α = 0.7 and β from 0.5.

    Args:
        alpha: α, at least 0.
        beta: β at the start, in [0, 1].
        end: β at the end, in [0, 1].
        by: "loss" or "rank".
        scale: As in `Weighted`.
        every: Steps from plan to plan, or the share of a pass, as in `Proportional`; None for its default, or by rank
            for an eighth of a pass, since each plan sorts.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> prioritised(by="rank")
        last_loss | rank_power(exponent=0.6) | weighted(beta=0.4, end=1.0, scale='mean', every=0.125)
    """
    power = Power(alpha, _PLUS) if by == "loss" else RankPower(alpha)
    if every is None and by == "rank":
        every = SORTED_PLAN_INTERVAL
    return LastLoss() | power | Weighted(beta, end, scale, every)


Prioritised = prioritised
