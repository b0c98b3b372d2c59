"""KAKURENBO: hides samples that are learned and predicted with confidence."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Share
from batchsel.selectors.base import Selector
from batchsel.selectors.ops.ranking import descending_ranks
from batchsel.selectors.ops.sampling import partition_kept, rest_scored, scatter_update
from batchsel.selectors.types import Context, Plan, SampleStats

_FADING = ((0.3, 0.8), (0.6, 0.6), (0.8, 0.4))
"""Progress and factor of the hidden share from then on: the authors' steps, at 60, 120 and 160 of 200 passes."""


@dataclass(frozen=True, repr=False)
class Kakurenbo(Selector):
    """A pass without the samples of lowest loss that are predicted correctly and with confidence.

    Formula: of the samples whose last loss is among the lowest F_t n, those that were predicted correctly with a
    probability of at least τ are hidden for a pass; F_t is `hide` times 1, 0.8, 0.6 and 0.4 from progress 0, 0.3, 0.6
    and 0.8 on. The hidden samples are scored at the end of the pass, so that they can come back. The others have
    the weight 1 / (1 − h), with h the share that is hidden, so that a pass weighs as much as one over all samples; with
    Adam weights that are all equal have almost no effect.
    Cost: two floats a sample, O(n) a pass; a forward pass for each hidden sample, counted as scored. Biased.
    Source: T. T. Nguyen et al., *KAKURENBO: Adaptively Hiding Samples in Deep Neural Network Training*, NeurIPS 2023,
    https://arxiv.org/abs/2310.10102; reported there: up to 22 % less time at 0.4 points less accuracy. The authors
    raise the learning rate instead, by 1 / (1 − F_t) however few samples are hidden: early, when few are predicted with
    confidence, their steps are up to 1.4 times as long as those here.

    Args:
        hide: F, the largest share that is hidden, in [0, 1].
        tau: τ, in [0, 1].
        rescale: Whether the other samples get larger weights.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Kakurenbo().signals
        ('probability', 'correct')
    """

    name = "kakurenbo"
    hide: Share = 0.3
    tau: Share = 0.7
    rescale: bool = True
    signals = ("probability", "correct")
    scores_excluded = True

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[n]``: the probability of the true class where it was predicted, 0 elsewhere."""
        return tf.zeros([n])

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Record the confidence of correct predictions."""
        return scatter_update(state, stats.indices, stats.probability * stats.correct)

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass and one more, in case both parts end with a partial batch."""
        return -(-n // batch_size) + 1

    def plan(self, state: tf.Tensor, context: Context) -> Plan:
        """Plan the samples to train on, then those that are only scored."""
        share = tf.constant(self.hide, tf.float64)
        for progress, factor in _FADING:
            share = tf.where(context.progress >= progress, tf.constant(self.hide * factor, tf.float64), share)
        # Unseen samples have infinite losses, hence rank first, and are never hidden. Ties are broken at random.
        ranks = descending_ranks(context.losses, context.rng)
        hidden = tf.cast(share * context.n + 1e-6, tf.int32)
        easy = (ranks >= context.n - hidden) & tf.math.is_finite(context.losses)
        order = context.rng.permutation(context.n, "kakurenbo")
        rows, kept = partition_kept(order, ~(easy & (state >= self.tau)))
        weight = tf.cast(context.n, tf.float32) / tf.cast(tf.maximum(kept, 1), tf.float32)
        weight = weight if self.rescale else tf.ones([])
        return rest_scored(rows, kept, context.batch_size, weight, tf.constant(True))
