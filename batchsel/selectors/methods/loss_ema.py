"""Samples drawn in proportion to a moving average of their loss."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Score
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class LossEMA(Score):
    """Score of a sample: the bias-corrected moving average of its loss; unseen samples come first.

    Formula: each time sample i is trained on with loss ℓ, m_i ← β m_i + (1 − β) ℓ and
    c_i ← β c_i + (1 − β), both from 0; the score is m_i / c_i, and infinite while c_i = 0. Drawn with
    `proportional` unless another draw follows in the pipe: P(i) ∝ score.
    Cost: two floats a sample, O(n) for each plan, no extra forward pass. Biased toward high loss.
    Source: loss-proportional sampling with the bias correction of D. Kingma and J. Ba, *Adam*, ICLR 2015.

    Args:
        decay: β in [0, 1); 0 keeps the last loss alone.

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
        in_range(self, "decay", 0, 1, upper_open=True)

    def init(self, n: int) -> tf.Tensor:
        """``float32[n, 2]``: m and c."""
        return tf.zeros([n, 2])

    def update(self, state: tf.Tensor, seen: SampleStats, context: Context) -> tf.Tensor:
        """Moves the averages of the samples just trained on."""
        news = tf.stack([seen.loss, tf.ones_like(seen.loss)], axis=1)
        rows = self.decay * tf.gather(state, seen.indices) + (1 - self.decay) * news
        return scatter_update(state, seen.indices, rows)

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """M / c, infinite for unseen samples."""
        average, correction = state[:, 0], state[:, 1]
        return tf.where(correction > 0, average / tf.where(correction > 0, correction, 1.0), float("inf"))
