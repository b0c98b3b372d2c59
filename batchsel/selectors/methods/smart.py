"""The explore/exploit selector of Training-Batch-Selection."""

from __future__ import annotations

from batchsel.core.parameters import Interval, PositiveShare, Share, ShareBelowOne, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.explore_exploit import ExploreExploit
from batchsel.selectors.scores.loss_ema import LossEMA


@checked
def smart(explore: Share = 0.5, top: PositiveShare = 0.2, decay: ShareBelowOne = 0.9, every: Interval = None) -> Part:
    """Draw half of each batch at random, half from the top fifth by moving average of the loss.

    Formula: ``loss_ema(decay) | explore_exploit(explore, top)``.
    Cost: two floats a sample, O(n) for each plan, no extra forward pass. Biased toward high loss.
    Source: Training-Batch-Selection (Human Augment Analytics Group), selector "Smart"; reported there: MNIST MLP, 5
    epochs, 97.66 ± 0.07 % against 97.37 ± 0.23 % for random, at 3.7 times the time.

    Args:
        explore: Share of a batch drawn from all samples, in [0, 1].
        top: Share of the data that counts as of high loss, in (0, 1].
        decay: Decay of the moving average, in [0, 1).
        every: Steps from plan to plan; None for the default of `Proportional`.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> smart()
        loss_ema(decay=0.9) | explore_exploit(explore=0.5, top=0.2, every=None)
    """
    return LossEMA(decay) | ExploreExploit(explore, top, every)


Smart = smart
