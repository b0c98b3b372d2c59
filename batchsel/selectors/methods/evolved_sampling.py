"""Evolved Sampling."""

from __future__ import annotations

from batchsel.core.parameters import Interval, ShareBelowOne, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.proportional import Proportional
from batchsel.selectors.scores.evolved import Evolved


@checked
def evolved_sampling(fast: ShareBelowOne = 0.2, slow: ShareBelowOne = 0.9, every: Interval = None) -> Part:
    """Draw samples by their loss and its trend.

    Formula: ``evolved(fast, slow) | proportional(every)``.
    Cost: two floats a sample, O(n) for each plan, no extra forward pass. Biased toward high and rising loss.
    Source: *Evolved Sampling*, 2025, https://arxiv.org/abs/2509.23461, known here from its abstract; reported there: up
    to 45 % less time. A port of the idea: the paper draws within batches, this from all data, and the plain first and
    last phases of the paper are absent here: `evolved | warmup(1)` has the first of them.

    Args:
        fast: Weight of the average in the score, in [0, 1).
        slow: Decay of the average, in [0, 1).
        every: Steps from plan to plan; None for the default of `Proportional`.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> evolved_sampling()
        evolved(fast=0.2, slow=0.9) | proportional(every=None)
    """
    return Evolved(fast, slow) | Proportional(every)


EvolvedSampling = evolved_sampling
