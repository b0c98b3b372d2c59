"""Pruning: samples left out at random, or on one side of a threshold; for the draw `keep`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tensorflow as tf

from batchsel.core.parameters import Amount, Between, PositiveShare, Share, ShareBelowOne
from batchsel.selectors.base import State
from batchsel.selectors.ops.ranking import below_mean, below_quantile, quantile
from batchsel.selectors.ops.sampling import kth_largest
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class Prune(Modifier):
    """A probability of 1 for samples of high score, and a smaller one for all samples of low score.

    Formula: s_i ← 1 − share where s_i lies below the threshold, else 1. The threshold is the mean of the known scores,
    or a quantile of them.
    Cost: O(n) for each plan.
    Source: Z. Qin et al., *InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning*, ICLR 2024,
    https://arxiv.org/abs/2303.04947

    Args:
        share: r, the probability that a sample of low score is left out, in [0, 1].
        below: The threshold: "mean", or a quantile in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> import tensorflow as tf
        >>> Prune(0.4).modify(tf.constant([1.0, 2.0, 9.0, float("inf")], tf.float64), context=None).numpy().tolist()
        [0.6, 0.6, 1.0, inf]
    """

    name = "prune"
    share: Share = 0.5
    below: Literal["mean"] | Share = "mean"

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return probabilities, infinities kept."""
        low = below_mean(scores) if isinstance(self.below, str) else below_quantile(scores, self.below)
        probabilities = tf.where(low, tf.constant(1 - self.share, tf.float64), 1)
        return tf.where(tf.math.is_inf(scores), scores, probabilities)


@dataclass(frozen=True, repr=False)
class Threshold(Modifier):
    """A fixed threshold: only samples of higher score are used, and at least a batch of them.

    Formula: s_i ← 1 where s_i > at, or where s_i is among the b largest; else 0.
    Cost: O(n) for each plan.
    Source: the loss-based selection for text of Training-Batch-Selection (Human Augment Analytics Group).

    Args:
        at: The threshold, at least 0.

    Raises:
        UsageError: If `at` is negative.

    Example:
        >>> Threshold()
        threshold(at=0.5)
    """

    name = "threshold"
    at: Amount = 0.5

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return 1 for the samples in use and 0 for others, infinities kept."""
        values = tf.cast(scores, tf.float32)
        above, least = values > self.at, min(context.batch_size, context.n)
        wanted = tf.cond(
            tf.math.count_nonzero(above) < least,
            lambda: above | (values >= kth_largest(values, least)),
            lambda: above,
        )
        return tf.where(tf.math.is_inf(scores), scores, tf.cast(wanted, tf.float64))


@dataclass(frozen=True, repr=False)
class RisingLimit(Modifier):
    """A limit that grows with every pass: only samples of lower score are used; for scores that are losses.

    Formula: s_i ← 1 where s_i ≤ λ, else 0, with λ = λ₀ · growth^(k − 1) after k passes over the data. λ₀ is the
    quantile `start` of the losses at the end of the first pass; until then all samples are used.
    Cost: one float, O(n) for each plan.
    Source: M. P. Kumar, B. Packer and D. Koller, *Self-Paced Learning for Latent Variable Models*, NIPS 2010. There λ₀
    is a number that the user finds; here a quantile, so that it suits any loss.

    Args:
        start: The quantile, in (0, 1].
        growth: Factor for each pass, at least 1.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> RisingLimit()
        rising_limit(start=0.5, growth=1.3)
    """

    name = "rising_limit"
    uses_training_losses = True
    start: PositiveShare = 0.5
    growth: Annotated[float, Between(1, 1000)] = 1.3

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[]``: λ₀, infinite until it is known."""
        return tf.constant(float("inf"))

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Set λ₀ from the losses at the end of the first pass."""
        due = tf.math.is_inf(state) & (context.samples >= context.n)
        losses = tf.cast(context.losses, tf.float64)
        return tf.cond(due, lambda: quantile(losses, self.start), lambda: state)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return 1 for the samples in use and 0 for others, infinities kept."""
        passes = tf.maximum(tf.cast(context.passes, tf.float64) - 1, 0)
        limit = tf.cast(state, tf.float64) * tf.pow(tf.constant(self.growth, tf.float64), passes)
        return tf.where(tf.math.is_inf(scores), scores, tf.cast(scores <= limit, tf.float64))


@dataclass(frozen=True, repr=False)
class RandomDrop(Modifier):
    """A random share of samples left out, whatever their scores, unseen samples included.

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
    share: ShareBelowOne = 0.1

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the reduced probabilities."""
        return (1 - self.share) * tf.minimum(scores, 1)
