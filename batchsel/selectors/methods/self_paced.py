"""Self-paced learning."""

from __future__ import annotations

from typing import Annotated

from batchsel.core.parameters import Between, PositiveShare, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.keep import Keep
from batchsel.selectors.modifiers.pruning import RisingLimit
from batchsel.selectors.scores.last_loss import LastLoss


@checked
def self_paced(start: PositiveShare = 0.5, growth: Annotated[float, Between(1, 1000)] = 1.3) -> Part:
    """Train on samples whose last loss lies below a limit that grows with every pass.

    Formula: ``last_loss | rising_limit(start, growth) | keep``.
    Cost: one float, O(n) a pass, no extra forward pass. Biased toward low loss at first. A sample that is left out
    keeps its last loss.
    Source: M. P. Kumar, B. Packer and D. Koller, *Self-Paced Learning for Latent Variable Models*, NIPS 2010.

    Args:
        start: Quantile of the losses after the first pass that is the first limit, in (0, 1].
        growth: Factor of the limit for each pass, at least 1.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> self_paced()
        last_loss | rising_limit(start=0.5, growth=1.3) | keep(rescale=False, until=1.0)
    """
    return LastLoss() | RisingLimit(start, growth) | Keep()


SelfPaced = self_paced
