"""Samples whose loss lies above a threshold, as a composition."""

from __future__ import annotations

from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.guards import Coverage
from batchsel.selectors.modifiers.pruning import Threshold
from batchsel.selectors.scores.last_loss import LastLoss


def loss_threshold(at: float = 0.5, readmit: float | None = 3) -> Part:
    """Keeps the samples whose last loss lies above a threshold; the others come back after some passes.

    Formula: ``last_loss | threshold(at) | coverage(readmit) | keep``; at least a batch is kept.
    Cost: a number a sample, O(n) a pass, no extra forward pass. Biased toward high loss.
    Source: the loss-based selection for text of Training-Batch-Selection (Human Augment Analytics Group), where a
    sample that was left out never came back: that is `readmit=None`.

    Args:
        at: The threshold, at least 0.
        readmit: Passes over the data after which a sample that was left out is trained on again; None for never.

    Returns:
        The composition.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> loss_threshold(readmit=None)
        last_loss | threshold(at=0.5) | keep(rescale=False, until=1.0)
    """
    wanted = LastLoss() | Threshold(at)
    return (wanted if readmit is None else wanted | Coverage(readmit)) | Keep()
