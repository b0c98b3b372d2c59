"""Importance sampling from a memory of gradient norms."""

from __future__ import annotations

from batchsel.core.parameters import Interval, Share, ShareBelowOne, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.weighted import Weighted
from batchsel.selectors.modifiers.blending import Mix
from batchsel.selectors.scores.gradient_ema import GradientEMA


@checked
def memory_importance(decay: ShareBelowOne = 0.9, uniform: Share = 0.1, every: Interval = None) -> Part:
    """Draw samples by their remembered gradient norm, with weights of one over the probability.

    Formula: ``gradient_ema(decay) | mix(uniform) | weighted``: P(i) ∝ the moving average of ‖∂ℓ/∂z‖, mixed with
    a uniform distribution so that no weight exceeds 1 / uniform; w_i = 1 / (n P(i)).
    Cost: two floats a sample, O(n) for each plan, no extra forward pass. Unbiased once every sample was seen.
    Source: C. Salaün et al., *Online Importance Sampling for Stochastic Gradient Optimization*, ICPRAM 2025,
    https://arxiv.org/abs/2311.14468

    Args:
        decay: Decay of the moving average, in [0, 1).
        uniform: Share of the uniform distribution, in [0, 1].
        every: Steps from plan to plan; None for the default of `Proportional`.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> memory_importance()
        gradient_ema(decay=0.9) | mix(uniform=0.1) | weighted(beta=1.0, end=None, scale='none', every=None)
    """
    return GradientEMA(decay) | Mix(uniform) | Weighted(every=every)


MemoryImportance = memory_importance
