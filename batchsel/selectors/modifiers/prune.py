"""A part of the samples of low score is left out."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.errors import UsageError
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.ops.ranking import below_mean, below_quantile
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Prune(Modifier):
    """Keeps every sample of high score, and each of low score with one and the same probability.

    Formula: s_i ← 1 − share where s_i lies below the threshold, else 1. The threshold is the mean of the known scores,
    or a quantile of them.
    Cost: O(n) for each plan.
    Source: Z. Qin et al., *InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning*, ICLR 2024,
    https://arxiv.org/abs/2303.04947

    Args:
        share: r, the probability that a sample of low score is left out, in [0, 1].
        below: "mean", or the quantile that is the threshold, in [0, 1].

    Raises:
        UsageError: If a parameter is not of that kind.

    Example:
        >>> import tensorflow as tf
        >>> Prune(0.4).modify(tf.constant([1.0, 2.0, 9.0, float("inf")], tf.float64), context=None).numpy().tolist()
        [0.6, 0.6, 1.0, inf]
    """

    name = "prune"
    uses_training_losses = False
    share: float = 0.5
    below: str | float = "mean"

    def __post_init__(self) -> None:
        in_range(self, "share", 0, 1)
        if self.below != "mean":
            if isinstance(self.below, str):
                raise UsageError(f"prune: below must be 'mean' or a quantile in [0, 1], got {self.below!r}.")
            in_range(self, "below", 0, 1)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Probabilities, infinities kept."""
        low = below_mean(scores) if self.below == "mean" else below_quantile(scores, self.below)
        chances = tf.where(low, tf.constant(1 - self.share, tf.float64), 1)
        return tf.where(tf.math.is_inf(scores), scores, chances)
