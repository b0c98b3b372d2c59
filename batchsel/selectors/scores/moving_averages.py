"""Scores that are moving averages: of the loss, or of the norm of its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import check_range
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class LossEMA(Score):
    """Bias-corrected moving average of a sample's loss; unseen samples come first.

    Formula: each time sample i is trained on with loss ℓ, m_i ← β m_i + (1 − β) ℓ and c_i ← β c_i + (1 − β), both from
    0; the score is m_i / c_i, and infinite while c_i = 0. Drawn with `proportional` unless another draw follows in the
    pipe: P(i) ∝ score.
    Cost: two floats a sample, O(n) for each plan, no extra forward pass. Biased toward high loss.
    Source: loss-proportional sampling with the bias correction of D. Kingma and J. Ba, *Adam*, ICLR 2015.

    Args:
        decay: β in [0, 1); 0 keeps only the last loss.

    Raises:
        UsageError: If `decay` lies outside [0, 1).

    Example:
        >>> import tensorflow as tf
        >>> state = tf.constant([[0.2, 0.1], [0.0, 0.0]])
        >>> LossEMA(0.9).score(state, context=None).numpy().tolist()
        [2.0, inf]
    """

    name = "loss_ema"
    decay: float = 0.9

    def __post_init__(self) -> None:
        check_range(self, "decay", 0, 1, upper_open=True)

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[n, 2]``: m and c."""
        return tf.zeros([n, 2])

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Update the averages of the samples just trained on."""
        latest = tf.stack([stats.loss, tf.ones_like(stats.loss)], axis=1)
        rows = self.decay * tf.gather(state, stats.indices) + (1 - self.decay) * latest
        return scatter_update(state, stats.indices, rows)

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return m / c, infinite for unseen samples."""
        average, correction = state[:, 0], state[:, 1]
        return tf.where(correction > 0, average / tf.where(correction > 0, correction, 1.0), float("inf"))


@dataclass(frozen=True, repr=False)
class GradientEMA(LossEMA):
    """Moving average of a sample's gradient norm at the outputs; unseen samples come first.

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
    signals = ("gradient_norm",)

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Update the averages of the samples just trained on."""
        return super().update(state, stats._replace(loss=stats.gradient_norm), context)
