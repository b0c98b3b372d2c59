"""A plain selector by losses: hard samples are kept more often."""

from __future__ import annotations

from batchsel.core.parameters import Amount, Share, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.probabilities import KeepShare
from batchsel.selectors.scores.last_loss import LastLoss


@checked
def soft_keep(floor: Share = 0.1, slope: Amount = 0.5, until: Share = 1.0, rescale: bool = False) -> Part:
    """Keep each sample for the next pass with a probability that is linear in its last loss.

    Formula: ``last_loss | keep_share(floor, slope) | keep(rescale, until)``: p_i = min(1, floor + slope · ℓ_i / mean
    ℓ).
    Cost: no state of its own, O(n) a pass, no extra forward pass. Biased toward high loss, unless `rescale`.
    Source: a plain rule of batchsel, a baseline for elaborate ones.

    Args:
        floor: Least probability, in [0, 1].
        slope: Added to the floor for a sample of mean loss, at least 0.
        until: Share of the epochs after which all data are used, in [0, 1]; 1 for never.
        rescale: Whether a kept sample has the weight 1 / p_i, which is unbiased.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> soft_keep(until=0.8)
        last_loss | keep_share(floor=0.1, slope=0.5) | keep(rescale=False, until=0.8)
    """
    return LastLoss() | KeepShare(floor, slope) | Keep(rescale, until)


SoftKeep = soft_keep
