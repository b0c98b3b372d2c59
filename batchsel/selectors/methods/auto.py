"""The selector to try first: it leaves out what the losses say that it may, and nothing else."""

from __future__ import annotations

from batchsel.core.parameters import PositiveShare, Share, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.guards import Cap
from batchsel.selectors.modifiers.probabilities import EffectiveShare
from batchsel.selectors.scores.last_loss import LastLoss


@checked
def auto(floor: Share = 0.1, quantile: PositiveShare = 0.99, until: Share = 1.0) -> Part:
    """Keep as many samples for the next pass as their last losses are worth, and weight them so that nothing is biased.

    Formula: ``last_loss | cap(quantile) | effective_share(floor) | keep(rescale=True, until)``: losses above their
    quantile count as the quantile, so that wrong labels are not preferred to hard samples; with κ = (Σ ℓ)² / (n Σ ℓ²),
    sample i is kept with probability p_i = min(1, floor + (1 − floor) κ ℓ_i / mean ℓ), and with weight 1 / p_i. While
    losses are alike, as at the beginning of a run or where nearly all samples are hard, κ is near 1 and nearly all
    samples are kept: then it is shuffling. No number in it is fitted to a data set.
    Cost: no state of its own, O(n) a pass, no extra forward pass. Unbiased over a pass.
    Source: batchsel; see `effective_share`.

    Args:
        floor: Least probability, in [0, 1]; the largest weight is one over it.
        quantile: Quantile of the losses above which they count as equal, in (0, 1].
        until: Share of the epochs after which all data are used, in [0, 1]; 1 for never.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> auto()
        last_loss | cap(quantile=0.99, above='clip') | effective_share(floor=0.1) | keep(rescale=True, until=1.0)
    """
    return LastLoss() | Cap(quantile) | EffectiveShare(floor) | Keep(True, until)


Auto = auto
