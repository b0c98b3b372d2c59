"""Probabilities of being kept, made from scores; for the draw `keep`."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Amount, Share
from batchsel.selectors.base import State
from batchsel.selectors.ops.ranking import descending_ranks, mean_of_finite
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Percentile(Modifier):
    """A power of the share of scores that are not higher, as a probability for every sample.

    Formula: s_i ← max(floor, F(s_i)^power), where F is the empirical distribution of the scores (ties in random order).
    Followed by `keep`, the expected share kept is 1 / (power + 1) where the floor is 0.
    Cost: O(n log n) for each plan.
    Source: A. Jiang et al., *Accelerating Deep Learning by Focusing on the Biggest Losers*, 2019,
    https://arxiv.org/abs/1910.00762

    Args:
        power: β, at least 0; 0 keeps all samples.
        floor: Least probability, in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Percentile(power=3.0)
        percentile(power=3.0, floor=0.0)
    """

    name = "percentile"
    power: Amount = 1.0
    floor: Share = 0.0

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return probabilities, infinities kept."""
        percentiles = 1 - tf.cast(descending_ranks(scores, context.rng), tf.float64) / context.n
        probabilities = tf.maximum(tf.pow(percentiles, self.power), self.floor)
        return tf.where(tf.math.is_inf(scores), scores, probabilities)


@dataclass(frozen=True, repr=False)
class KeepShare(Modifier):
    """A probability that is linear in the score, with a floor.

    Formula: s_i ← min(1, floor + slope · s_i / mean(s)).
    Cost: O(n) for each plan.
    Source: the plain soft-keep rule of batchsel.

    Args:
        floor: Least probability, in [0, 1].
        slope: Added to the floor for a sample of mean score, at least 0.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> import tensorflow as tf
        >>> KeepShare(0.1, 0.5).modify(tf.constant([0.0, 1.0, 2.0], tf.float64), context=None).numpy().tolist()
        [0.1, 0.6, 1.0]
    """

    name = "keep_share"
    floor: Share = 0.1
    slope: Amount = 0.5

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return probabilities, infinities kept."""
        probabilities = tf.minimum(self.floor + self.slope * scores / mean_of_finite(scores), 1)
        return tf.where(tf.math.is_inf(scores), scores, probabilities)


@dataclass(frozen=True, repr=False)
class EffectiveShare(Modifier):
    """A probability in proportion to the score, of a size that follows from how unequal the scores are.

    Formula: with k known scores, κ = (Σ s)² / (k Σ s²), the effective share of a weighted sample, and s_i ← min(1,
    floor + (1 − floor) κ s_i / mean(s)). Followed by `keep(rescale=True)`, about floor + (1 − floor) κ of the samples
    are kept. If scores are to each other as the norms of gradients, a pass over κ n of them, with chances in proportion
    to the scores, estimates the mean gradient with the variance of a pass over n drawn uniformly. Scores that are all
    alike have κ = 1: every sample is kept, because there is nothing to gain.
    Cost: O(n) for each plan.
    Source: batchsel; κ is that of L. Kish, *Survey Sampling*, 1965, and the second moments are those of
    A. Katharopoulos and F. Fleuret, *Not All Samples Are Created Equal*, ICML 2018, https://arxiv.org/abs/1803.00942

    Args:
        floor: Least probability, in [0, 1]; the largest weight is one over it.

    Raises:
        UsageError: If `floor` lies outside [0, 1].

    Example:
        >>> import tensorflow as tf
        >>> alike, unlike = tf.constant([2.0, 2.0], tf.float64), tf.constant([0.0, 1.0], tf.float64)
        >>> [EffectiveShare(0.1).modify(scores, context=None).numpy().tolist() for scores in (alike, unlike)]
        [[1.0, 1.0], [0.1, 1.0]]
    """

    name = "effective_share"
    floor: Share = 0.1

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return probabilities, infinities kept."""
        finite = tf.math.is_finite(scores)
        some_positive = tf.reduce_any(finite & (scores > 0))
        relative = tf.where(some_positive, scores / mean_of_finite(scores), tf.ones_like(scores))
        share = 1 / mean_of_finite(tf.where(finite, relative * relative, scores))
        probabilities = tf.minimum(self.floor + (1 - self.floor) * share * relative, 1)
        return tf.where(finite, probabilities, scores)
