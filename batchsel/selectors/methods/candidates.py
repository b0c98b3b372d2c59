"""Online hard example mining: pools that are scored by a forward pass before a batch is chosen from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.core.parameters import Pool
from batchsel.selectors.base import State
from batchsel.selectors.pooled import Pooled, take_in_proportion, top_k
from batchsel.selectors.types import Context, SampleStats, Selection

_SIGNALS = {
    "loss": (),
    "gradient_norm": ("gradient_norm",),
    "probability": ("probability",),
    "last_layer": ("gradient_norm", "features"),
}


@dataclass(frozen=True, repr=False)
class Candidates(Pooled):
    """The hardest batch of a shuffled pool of several batches, scored by a forward pass.

    Formula: of each pool of B = pool · b samples, the b with the largest score are trained on. The score is the loss
    (online hard example mining), the norm of the loss gradient at the outputs, that of the gradient of the last layer's
    kernel and bias, ‖p − y‖ sqrt(‖h‖² + 1) with h its input, or 1 − the probability of the true class. With `take`
    "proportional" b rows are drawn in proportion to their scores, with "unbiased" and the weights 1 / (B P).
    Cost: B forward passes a step, counted as samples scored; no state. Biased toward the score, except "unbiased".
    Source: A. Shrivastava, A. Gupta and R. Girshick, *Training Region-based Object Detectors with Online Hard Example
    Mining*, CVPR 2016, https://arxiv.org/abs/1604.03540

    Args:
        pool: Size of a pool in batches, at least 1.
        of: The score: "loss", "gradient_norm", "last_layer" or "probability".
        take: "top", "proportional" or "unbiased".

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Candidates(pool=4).pool_size(batch_size=32)
        128
    """

    name = "candidates"
    uses_training_losses = False
    pool: Pool = 2
    of: Literal["loss", "gradient_norm", "probability", "last_layer"] = "loss"
    take: Literal["top", "proportional", "unbiased"] = "top"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "signals", _SIGNALS[self.of])

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """Choose the rows of highest score, or draw rows by their scores."""
        scores = self._scores(candidates)
        if self.take == "top":
            return top_k(scores, candidates.valid, context.batch_size)
        unbiased = self.take == "unbiased"
        return take_in_proportion(scores, candidates.valid, context.batch_size, context.rng, unbiased)

    def _scores(self, candidates: SampleStats) -> tf.Tensor:
        if self.of == "last_layer":
            squares = tf.reduce_sum(tf.square(candidates.features), axis=1)
            return candidates.gradient_norm * tf.sqrt(squares + 1)
        scores = getattr(candidates, self.of)
        return 1 - scores if self.of == "probability" else scores
