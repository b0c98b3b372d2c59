"""Selective backpropagation from remembered losses, as a composition."""

from __future__ import annotations

from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.guards import Coverage
from batchsel.selectors.modifiers.probabilities import Percentile
from batchsel.selectors.scores.last_loss import LastLoss


def stale_backprop(beta: float = 1.0, floor: float = 0.05, refresh: float | None = 3) -> Part:
    """Keeps each sample with a power of its loss's percentile, judged by the loss it had when it was trained on last.

    Formula: ``last_loss | percentile(beta, floor) | coverage(refresh) | keep``: p_i = max(floor, F(ℓ_i)^β), which keeps
    about 1 / (β + 1) of the data.
    Cost: a number a sample, O(n log n) a pass, no extra forward pass. Biased toward high loss.
    Source: Stale-SB of A. Jiang et al., *Accelerating Deep Learning by Focusing on the Biggest Losers*, 2019,
    https://arxiv.org/abs/1910.00762, which reuses losses for three passes; here they are those of the last visit, and a
    sample is visited after `refresh` passes at the latest.

    Args:
        beta: β, at least 0: 1 keeps half of the data, 2 a third.
        floor: Least probability, in [0, 1].
        refresh: Passes after which a sample that was left out is trained on again; None for never.

    Returns:
        The composition.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> stale_backprop(refresh=None)
        last_loss | percentile(power=1.0, floor=0.05) | keep(rescale=False, until=1.0)
    """
    chances = LastLoss() | Percentile(beta, floor)
    return (chances if refresh is None else chances | Coverage(refresh)) | Keep()
