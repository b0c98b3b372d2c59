"""A draw in proportion to scores, with importance weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.core.parameters import Interval, Share
from batchsel.selectors.ops.plan_interval import interval_in_steps
from batchsel.selectors.ops.sampling import deal_into_batches, first_then_shares, systematic
from batchsel.selectors.pipe import Draw
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Weighted(Draw):
    """A draw in proportion to the scores, with weights of one over the probability, to a power.

    Formula: P(i) ∝ s_i as in `proportional`; w_i = (n P(i))^(−β), where β goes linearly from `beta` to `end` over the
    run. With β = 1 and scale "none" the weighted mean gradient is unbiased. Samples of infinite score, which come
    before all others, have weight 1; n and P are then those of the other samples. Scale "mean" divides the weights
    by their mean over the plan, which keeps the step length; "max" by their maximum, as in prioritized replay, which
    shortens steps.
    Cost: O(n) for each plan.
    Source: T. Schaul et al., *Prioritized Experience Replay*, ICLR 2016, https://arxiv.org/abs/1511.05952

    Args:
        beta: β at the start of the run, in [0, 1].
        end: β at the end of the run, in [0, 1]; None for `beta`.
        scale: "none", "mean" or "max".
        every: Steps from plan to plan, as in `Proportional`.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Weighted(beta=0.4, end=1.0, scale="max")
        weighted(beta=0.4, end=1.0, scale='max', every=None)
    """

    name = "weighted"
    plans_passes = False
    beta: Share = 1.0
    end: Share | None = None
    scale: Literal["none", "mean", "max"] = "none"
    every: Interval = None

    @property
    def plans_weights(self) -> bool:
        """True: a sample drawn more often weighs less."""
        return True

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return `every` in steps."""
        return interval_in_steps(self.every, n, batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return 0: all batches are full."""
        return 0

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """Sample the next plan."""
        steps = self.steps_per_plan(context.n, context.batch_size)
        count = steps * context.batch_size
        shares = first_then_shares(scores, count)
        rows = deal_into_batches(systematic(shares, count, context.rng, "weighted"), steps)
        # Samples of infinite score are not drawn at random; probabilities are those among the other samples.
        others = tf.where(tf.math.is_inf(scores), tf.zeros([], tf.int64), shares)
        known = tf.cast(tf.math.count_nonzero(~tf.math.is_inf(scores)), tf.float64)
        chances = tf.cast(tf.gather(others, rows), tf.float64) / tf.cast(
            tf.maximum(tf.reduce_sum(others), 1), tf.float64
        )
        progress = tf.cast(context.progress, tf.float64)
        beta = self.beta + ((self.beta if self.end is None else self.end) - self.beta) * progress
        weights = tf.pow(tf.maximum(chances * known, 1e-12), -beta)
        weights = tf.where(tf.math.is_inf(tf.gather(scores, rows)), tf.ones_like(weights), weights)
        if self.scale != "none":
            weights /= tf.reduce_mean(weights) if self.scale == "mean" else tf.reduce_max(weights)
        return Plan(rows, tf.cast(weights, tf.float32), tf.constant(steps))
