"""A shuffled pass over samples that are kept at random."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Share
from batchsel.selectors.ops.last_phase import last_phase
from batchsel.selectors.ops.sampling import bernoulli, padded_plan, partition_kept
from batchsel.selectors.pipe import Draw
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Keep(Draw):
    """A draw that keeps each sample for the next pass with its score as the probability, once or not at all.

    Formula: sample i is kept with probability p_i = min(1, s_i), independently of the others, and the kept ones are
    shuffled. With `rescale` a kept sample has the weight 1 / p_i, which makes the sum of losses over a pass an unbiased
    estimate of that over all samples. If none is kept, all are. Of C epochs those with a number above `until` · C are
    the last phase: all samples are kept, with weight 1. With a budget in samples C is the number of epochs that they
    last for, and the last pruned pass is cut short, so that whole passes over all samples are left for the last phase.
    Cost: O(n) a pass.
    Source: Poisson sampling with the estimator of D. Horvitz and D. Thompson, *A Generalization of Sampling Without
    Replacement From a Finite Universe*, JASA 47 (1952).

    Args:
        rescale: Whether kept samples are weighted by one over their probability.
        until: Share of the epochs after which all of the data are used, in [0, 1]; 1 for no last phase.

    Raises:
        UsageError: If `until` lies outside [0, 1].

    Example:
        >>> Keep(until=0.875)
        keep(rescale=False, until=0.875)
    """

    name = "keep"
    rescale: bool = False
    until: Share = 1.0

    @property
    def plans_weights(self) -> bool:
        """True if kept samples are weighted by one over their probability."""
        return self.rescale

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass over all samples."""
        return -(-n // batch_size)

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """Plan a pass over the kept samples in random order."""
        chances = tf.clip_by_value(scores, 0, 1)
        weights = tf.cast(1 / tf.where(chances > 0, chances, 1), tf.float32) if self.rescale else None
        return plan_kept(chances, weights, context, "keep", self.until)


def plan_kept(chances: tf.Tensor, weights: tf.Tensor | None, context: Context, stream: str, until: float = 1.0) -> Plan:
    """Plan a shuffled pass over samples that are kept independently of each other, or over all if none is.

    Args:
        chances: ``float64[n]`` probabilities.
        weights: ``float32[n]`` weights of kept samples, or None for ones.
        context: The run at this step.
        stream: Name of the random stream.
        until: Share of the epochs after which all samples are kept, with weight 1, in [0, 1].
    """
    phase = last_phase(until, chances, context)
    chances = tf.where(phase.reached, tf.ones_like(chances), chances)
    weights = None if weights is None else tf.where(phase.reached, tf.ones_like(weights), weights)
    keep = bernoulli(chances, context.rng, stream)
    order = context.rng.permutation(context.n, f"{stream}/order")
    rows, kept = partition_kept(order, keep)
    rows, kept = tf.where(kept > 0, rows, order), tf.where(kept > 0, kept, context.n)
    plan = padded_plan(rows, kept, context.batch_size, weights)
    return plan._replace(steps=tf.minimum(plan.steps, phase.steps))
