"""Selective backpropagation by remembered losses."""

from __future__ import annotations

from batchsel.core.parameters import Amount, Passes, Share, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.guards import Coverage
from batchsel.selectors.modifiers.probabilities import Percentile
from batchsel.selectors.scores.last_loss import LastLoss


@checked
def stale_backprop(beta: Amount = 1.0, floor: Share = 0.05, refresh: Passes | None = 3) -> Part:
    """Keep each sample with a power of the percentile of its last loss as the probability.

    Formula: ``last_loss | percentile(beta, floor) | coverage(refresh) | keep``: p_i = max(floor, F(ℓ_i)^β), which keeps
    about 1 / (β + 1) of the data.
    Cost: one integer a sample, O(n log n) a pass, no extra forward pass. Biased toward high loss.
    Source: Stale-SB of A. Jiang et al., *Accelerating Deep Learning by Focusing on the Biggest Losers*, 2019,
    https://arxiv.org/abs/1910.00762, which reuses losses for three passes; here they are those of the last visit, and a
    sample is visited after `refresh` passes at the latest.

    Args:
        beta: β, at least 0: 1 keeps half of the data, 2 a third.
        floor: Least probability, in [0, 1].
        refresh: Passes after which a sample that was left out is trained on again; None for never.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> stale_backprop(refresh=None)
        last_loss | percentile(power=1.0, floor=0.05) | keep(rescale=False, until=1.0)
    """
    kept = LastLoss() | Percentile(beta, floor)
    return (kept if refresh is None else kept | Coverage(refresh)) | Keep()


StaleBackprop = stale_backprop
