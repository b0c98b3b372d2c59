"""Samples of loss above a threshold."""

from __future__ import annotations

from batchsel.core.parameters import Amount, Passes, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.guards import Coverage
from batchsel.selectors.modifiers.pruning import Threshold
from batchsel.selectors.scores.last_loss import LastLoss


@checked
def loss_threshold(at: Amount = 0.5, readmit: Passes | None = 3) -> Part:
    """Keep the samples whose last loss lies above a threshold; the others come back after some passes.

    Formula: ``last_loss | threshold(at) | coverage(readmit) | keep``; at least a batch is kept.
    Cost: one integer a sample, O(n) a pass, no extra forward pass. Biased toward high loss.
    Source: the loss-based selection for text of Training-Batch-Selection (Human Augment Analytics Group), where a
    sample that was left out never came back: that is `readmit=None`.

    Args:
        at: The threshold, at least 0.
        readmit: Passes after which a sample that was left out is trained on again; None for never.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> loss_threshold(readmit=None)
        last_loss | threshold(at=0.5) | keep(rescale=False, until=1.0)
    """
    kept = LastLoss() | Threshold(at)
    return (kept if readmit is None else kept | Coverage(readmit)) | Keep()


LossThreshold = loss_threshold
