"""The hardest samples of every few batches, as rated by a small model."""

from __future__ import annotations

from typing import Annotated

from batchsel.core.parameters import Between, Pool, PositiveShare, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.hardest import Hardest
from batchsel.selectors.scores.proxy_loss import ProxyLoss


@checked
def small_proxy(pool: Pool = 2, passes: Annotated[int, Between(1, 1000)] = 1, width: PositiveShare = 0.5) -> Part:
    """Train on the samples of every few batches with the largest loss under a small model, which is trained first.

    Formula: ``proxy_loss(passes, width) | hardest(pool)``: of each pool · b samples of a shuffled pass, the b of
    largest loss under a narrower model of the same architecture, at the same progress of its own training.
    Cost: before the first step `passes` passes of the narrower model over the data and as many forward passes over all
    samples, on the clock; planning O(n) a pass; `passes` floats a sample. No forward pass of the model itself. Biased
    toward high loss.
    Source: the masks of a small network in airbench, K. Jordan, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU*,
    2024, https://arxiv.org/abs/2404.00498; there the small network sees the same augmented stream and is itself trained
    on every fourth batch of its own masks, here on all samples.

    Args:
        pool: Batches of which one is trained on, at least 2 to select anything.
        passes: Passes of training of the small model.
        width: Factor of the units and filters of its layers, in (0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> small_proxy()
        proxy_loss(passes=1, width=0.5) | hardest(pool=2)
    """
    return ProxyLoss(passes, width) | Hardest(pool)


SmallProxy = small_proxy
