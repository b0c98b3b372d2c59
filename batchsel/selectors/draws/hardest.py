"""A draw of the highest scores of every few batches."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Pool
from batchsel.selectors.pipe import Draw
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Hardest(Draw):
    """A draw of the samples of highest score from every few batches of a shuffled pass.

    Formula: of each pool · b samples of a shuffled pass, the b of largest s_i, ties in random order; at the end of the
    pass, one in `pool` of the samples that are left, rounded up.
    Cost: O(n) for each pass, no extra forward pass.
    Source: ranking within pools as in A. Shrivastava, A. Gupta and R. Girshick, *Training Region-based Object Detectors
    with Online Hard Example Mining*, CVPR 2016, https://arxiv.org/abs/1604.03540, here by scores known in advance.

    Args:
        pool: Batches of which one is trained on, at least 1, which trains on all samples.

    Raises:
        UsageError: If `pool` is not a positive whole number.

    Example:
        >>> Hardest(pool=2).steps_per_plan(n=1000, batch_size=50)
        10
    """

    name = "hardest"
    plans_passes = True
    pool: Pool = 2

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass that trains on one sample in `pool`."""
        return -(-n // (self.pool * batch_size))

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return the rows of the last batch of a plan, unless it is full."""
        left = n - (self.steps_per_plan(n, batch_size) - 1) * self.pool * batch_size
        return -(-left // self.pool) % batch_size

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """Sample the next plan; all weights are 1."""
        n, b = context.n, context.batch_size
        steps = self.steps_per_plan(n, b)
        places = tf.range(steps * self.pool * b)
        order = tf.gather(context.rng.permutation(n, "hardest"), places % n)
        known = tf.cast(tf.gather(scores, order), tf.float32)
        pools = tf.reshape(tf.where(places < n, known, float("-inf")), [steps, self.pool * b])
        top = tf.math.top_k(pools, b).indices
        rows = tf.gather(tf.reshape(order, [steps, self.pool * b]), top, batch_dims=1)
        left = n - (steps - 1) * self.pool * b
        real = tf.minimum(-(-left // self.pool), b)
        last = tf.range(steps)[:, None] == steps - 1
        weights = tf.where(last & (tf.range(b)[None] >= real), 0.0, tf.ones([steps, b]))
        return Plan(tf.reshape(rows, [-1]), tf.reshape(weights, [-1]), tf.constant(steps))
