"""A part left out at random, whatever the scores."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class RandomDrop(Modifier):
    """Lowers all probabilities alike, those of unseen samples too.

    Formula: s_i ← (1 − share) · min(1, s_i).
    Cost: none.
    Source: the random part of SeTa, *SeTa: scale efficient training*, CVPR 2025, https://arxiv.org/abs/2503.13385

    Args:
        share: Share of the samples that is left out, in [0, 1).

    Raises:
        UsageError: If `share` lies outside [0, 1).

    Example:
        >>> import tensorflow as tf
        >>> RandomDrop(0.5).modify(tf.constant([0.5, 1.0, float("inf")], tf.float64), context=None).numpy().tolist()
        [0.25, 0.5, 0.5]
    """

    name = "thin"
    uses_training_losses = False
    share: float = 0.1

    def __post_init__(self) -> None:
        in_range(self, "share", 0, 1, upper_open=True)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Lower probabilities."""
        return (1 - self.share) * tf.minimum(scores, 1)
