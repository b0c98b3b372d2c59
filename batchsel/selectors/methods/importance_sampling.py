"""Importance sampling by an upper bound of the gradient norm."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Amount, Pool, ShareBelowOne
from batchsel.selectors.pooled import Pooled, take_in_proportion
from batchsel.selectors.types import Context, SampleStats, Selection


def variance_ratio(norms: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Return τ, the factor by which a batch of uniform draws must grow to have as small a variance.

    Args:
        norms: ``float32[B]`` gradient norms of a uniform sample.
        valid: ``bool[B]``.

    Returns:
        ``float32[]``, at least 1, and 1 for equal norms, also if all are 0.

    Example:
        >>> float(variance_ratio(tf.constant([2.0, 2.0]), tf.constant([True, True])))
        1.0
    """
    real = tf.cast(valid, tf.float32)
    count = tf.maximum(tf.reduce_sum(real), 1.0)
    total = tf.reduce_sum(real * norms)
    chances = tf.where(total > 0, real * norms / tf.where(total > 0, total, 1.0), real / count)
    squares = tf.reduce_sum(tf.square(chances))
    gained = tf.reduce_sum(real * tf.square(chances - 1 / count)) / tf.maximum(squares, 1e-12)
    return 1 / tf.sqrt(tf.maximum(1 - gained, 1e-6))


@dataclass(frozen=True, repr=False)
class ImportanceSampling(Pooled):
    """Batches drawn from scored pools by gradient norm, with weights, once the gain exceeds the cost of scoring.

    Formula: a pool of B = pool · b samples is scored by G_i = ‖∂ℓ/∂z‖ at the outputs z; b rows are drawn with
    probabilities P(i) ∝ G_i and have the weights 1 / (B P(i)). With p = G / Σ G and u = 1 / B, τ = (1 − Σ (p − u)² / Σ
    p²)^(−1/2), averaged with `momentum`. A pass is scored if τ is above (B + 3 b) / (3 b), the point from which scoring
    costs less than a larger uniform batch; otherwise it is plain shuffling, and τ is tracked on its batches.
    Cost: B forward passes a step while it is on, counted as samples scored; one float. Unbiased.
    Source: A. Katharopoulos and F. Fleuret, *Not All Samples Are Created Equal: Deep Learning with Importance
    Sampling*, ICML 2018, https://arxiv.org/abs/1803.00942

    Args:
        pool: Size of a pool in batches, at least 1.
        threshold: τ above which it is on; None for the formula above, 0 for always.
        momentum: Momentum of the average of τ, in [0, 1).

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> ImportanceSampling()
        importance_sampling(pool=3, threshold=None, momentum=0.9)
    """

    name = "importance_sampling"
    pool: Pool = 3
    threshold: Amount | None = None
    momentum: ShareBelowOne = 0.9
    signals = ("gradient_norm",)
    can_skip_scoring = True

    def init(self, n: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return ``float32[]`` τ, and ``bool[]``, true if the last step was scored."""
        return tf.ones([]), tf.constant(False)

    def active(self, state: tuple[tf.Tensor, tf.Tensor], context: Context) -> tf.Tensor:
        """Return true if τ is above the threshold, for a whole pass."""
        limit = (self.pool + 3) / 3 if self.threshold is None else self.threshold
        return tf.fill([self.steps_per_plan(context.n, context.batch_size)], state[0] > limit)

    def observe(self, state: tuple[tf.Tensor, tf.Tensor], candidates: SampleStats, context: Context) -> tuple:
        """Update τ from the pool, which is a uniform sample."""
        return self._average(state[0], candidates), tf.constant(True)

    def update(self, state: tuple[tf.Tensor, tf.Tensor], stats: SampleStats, context: Context) -> tuple:
        """Update τ from a plain batch; a batch drawn by gradient norm says nothing about a uniform one."""
        return tf.where(state[1], state[0], self._average(state[0], stats)), tf.constant(False)

    def choose(self, state: tuple[tf.Tensor, tf.Tensor], candidates: SampleStats, context: Context) -> Selection:
        """Draw rows by their gradient norm."""
        valid, norms = candidates.valid, candidates.gradient_norm
        return take_in_proportion(norms, valid, context.batch_size, context.rng, unbiased=True)

    def _average(self, tau: tf.Tensor, stats: SampleStats) -> tf.Tensor:
        return self.momentum * tau + (1 - self.momentum) * variance_ratio(stats.gradient_norm, stats.valid)
