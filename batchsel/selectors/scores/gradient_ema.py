"""Moving average of the gradient norm of each sample."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import ShareBelowOne
from batchsel.selectors.scores.loss_ema import LossEMA
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class GradientEMA(LossEMA):
    """Moving average of a sample's gradient norm at the outputs; samples not trained on yet have the highest score.

    Formula: as `loss_ema`, with ‖∂ℓ/∂z‖ at the outputs z (for cross-entropy ‖p − y‖₂) in place of the loss. It bounds
    the norm of the whole gradient up to a factor that hardly differs between samples.
    Cost: two floats a sample, O(n) for each plan, no extra forward pass.
    Source: the gradient memory of C. Salaün et al., *Online Importance Sampling for Stochastic Gradient Optimization*,
    ICPRAM 2025, https://arxiv.org/abs/2311.14468; the bound of A. Katharopoulos and F. Fleuret, *Not All Samples Are
    Created Equal*, ICML 2018, https://arxiv.org/abs/1803.00942

    Args:
        decay: β in [0, 1); 0 keeps only the last norm.

    Raises:
        UsageError: If `decay` lies outside [0, 1).

    Example:
        >>> from batchsel.selectors import Mix
        >>> GradientEMA(0.5) | Mix(0.1)
        gradient_ema(decay=0.5) | mix(uniform=0.1)
        >>> GradientEMA.signals
        ('gradient_norm',)
    """

    name = "gradient_ema"
    decay: ShareBelowOne = 0.9
    signals = ("gradient_norm",)

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Update the averages of the samples just trained on."""
        return super().update(state, stats._replace(loss=stats.gradient_norm), context)
