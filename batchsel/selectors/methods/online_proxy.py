"""The hardest batch of every pool, as rated by a narrower model that is trained along with the model."""

from __future__ import annotations

from typing import Annotated

from batchsel.core.parameters import Between, Pool, PositiveShare, checked
from batchsel.selectors.base import Part
from batchsel.selectors.methods.candidates import Candidates
from batchsel.selectors.modifiers.scoring import Scoring


@checked
def online_proxy(pool: Pool = 2, width: PositiveShare = 0.25, every: Annotated[int, Between(1, 2**20)] = 4) -> Part:
    """Train on the hardest batch of every pool, as rated by a narrower model that is trained on some of these batches.

    Formula: ``candidates(pool) | score(proxy=width, proxy_every=every)``: of pool · b samples of a shuffled pass, the b
    of largest loss under a narrower copy of the model, which is itself trained on every `every`-th of these batches.
    Cost: pool · b forward passes of the narrower copy a step, and a step of it in every `every`-th; no state. Biased
    toward high loss. Measured on Fashion-MNIST (`cnn`, b = 128, one pass, three seeds): 0.21 forward passes of the
    model for each sample trained on, where ``candidates(2)`` has 2; rank correlation with its losses 0.59 to 0.70.
    Source: airbench96_faster, K. Jordan, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU*, 2024,
    https://arxiv.org/abs/2404.00498. There the small network is less deep too (two blocks for three), and sees the
    augmented samples of the pool; here all pools are scored as plain samples, and the copy has the layers of the model.

    Args:
        pool: Batches in the pool, of which one is trained on.
        width: Factor of the units and filters of the layers of the copy, in (0, 1].
        every: Steps from one batch that the copy is trained on to the next.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> online_proxy().scoring.proxy
        0.25
    """
    return Candidates(pool) | Scoring(proxy=width, proxy_every=every)


OnlineProxy = online_proxy
