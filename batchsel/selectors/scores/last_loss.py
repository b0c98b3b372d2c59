"""A score by the last known loss."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.selectors.base import State
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class LastLoss(Score):
    """Loss of a sample when it was last trained on; unseen samples come first.

    Formula: s_i = ℓ_i of the last step that sample i was in, infinite before the first. Losses of samples that are left
    out grow stale: they are those under the model of that time.
    Cost: none; the training loop keeps the last losses for all selectors.
    Source: the loss history of I. Loshchilov and F. Hutter, *Online Batch Selection for Faster Training of Neural
    Networks*, ICLR 2016 workshop, https://arxiv.org/abs/1511.06343

    Example:
        >>> import batchsel
        >>> batchsel.selectors.resolve("last_loss | mix(0.2)")
        last_loss | mix(uniform=0.2)
    """

    name = "last_loss"

    def score(self, state: State, context: Context) -> tf.Tensor:
        """Return the last losses, infinite for unseen samples."""
        return context.losses
