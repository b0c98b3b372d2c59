"""A shuffled pass over samples that are kept at random."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Share
from batchsel.selectors.ops.sampling import bernoulli, padded_plan, partition_kept
from batchsel.selectors.pipe import Draw
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Keep(Draw):
    """A draw that keeps each sample for the next pass with its score as the probability, once or not at all.

    Formula: sample i is kept with probability p_i = min(1, s_i), independently of the others, and the kept ones are
    shuffled. With `rescale` a kept sample has the weight 1 / p_i, which makes the sum of losses over a pass an unbiased
    estimate of that over all samples. From progress `until` on all samples are kept with weight 1. If none is
    kept, all are.
    Cost: O(n) a pass.
    Source: Poisson sampling with the estimator of D. Horvitz and D. Thompson, *A Generalization of Sampling Without
    Replacement From a Finite Universe*, JASA 47 (1952).

    Args:
        rescale: Whether kept samples are weighted by one over their probability.
        until: Progress (samples trained on over samples budgeted) from which all of the data are used, in [0, 1].

    Raises:
        UsageError: If `until` lies outside [0, 1].

    Example:
        >>> Keep(until=0.875)
        keep(rescale=False, until=0.875)
    """

    name = "keep"
    rescale: bool = False
    until: Share = 1.0

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass over all samples."""
        return -(-n // batch_size)

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """Plan a pass over the kept samples in random order."""
        everything = context.progress >= self.until if self.until < 1 else tf.constant(False)
        chances = tf.clip_by_value(tf.where(everything, tf.ones_like(scores), scores), 0, 1)
        weights = tf.cast(1 / tf.where(chances > 0, chances, 1), tf.float32) if self.rescale else None
        return plan_kept(chances, weights, context, "keep")


def plan_kept(chances: tf.Tensor, weights: tf.Tensor | None, context: Context, stream: str) -> Plan:
    """Plan a shuffled pass over samples that are kept independently of each other, or over all if none is.

    Args:
        chances: ``float64[n]`` probabilities.
        weights: ``float32[n]`` weights of kept samples, or None for ones.
        context: The run at this step.
        stream: Name of the random stream.
    """
    keep = bernoulli(chances, context.rng, stream)
    order = context.rng.permutation(context.n, f"{stream}/order")
    rows, kept = partition_kept(order, keep)
    rows, kept = tf.where(kept > 0, rows, order), tf.where(kept > 0, kept, context.n)
    return padded_plan(rows, kept, context.batch_size, weights)
