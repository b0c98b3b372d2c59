"""A draw that takes the highest scores of every few batches."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import check_integer
from batchsel.selectors.pipe import Draw
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Hardest(Draw):
    """Shuffles all samples, and of every few batches trains on the samples of highest score.

    Formula: of each pool · b samples of a shuffled pass, the b of largest s_i, ties in random order; of fewer left at
    the end of the pass, one in `pool`, rounded up.
    Cost: O(n) for each pass, no extra forward pass.
    Source: ranking within pools as in A. Shrivastava, A. Gupta and R. Girshick, *Training Region-based Object Detectors
    with Online Hard Example Mining*, CVPR 2016, https://arxiv.org/abs/1604.03540, by scores known before.

    Args:
        pool: Batches of which one is trained on, at least 1, where all samples are.

    Raises:
        UsageError: If `pool` is not a positive whole number.

    Example:
        >>> Hardest(pool=2).steps_per_plan(n=1000, batch_size=50)
        10
    """

    name = "hardest"
    pool: int = 2

    def __post_init__(self) -> None:
        check_integer(self, "pool", 1)

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """A pass, of which one sample in `pool` is trained on."""
        return -(-n // (self.pool * batch_size))

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """The next plan, all weights 1."""
        n, b = context.n, context.batch_size
        steps = self.steps_per_plan(n, b)
        places = tf.range(steps * self.pool * b)
        order = tf.gather(context.rng.permutation(n, "hardest"), places % n)
        known = tf.cast(tf.gather(scores, order), tf.float32)
        pools = tf.reshape(tf.where(places < n, known, float("-inf")), [steps, self.pool * b])
        taken = tf.math.top_k(pools, b).indices
        rows = tf.gather(tf.reshape(order, [steps, self.pool * b]), taken, batch_dims=1)
        left = n - (steps - 1) * self.pool * b
        real = tf.minimum(-(-left // self.pool), b)
        last = tf.range(steps)[:, None] == steps - 1
        weights = tf.where(last & (tf.range(b)[None] >= real), 0.0, tf.ones([steps, b]))
        return Plan(tf.reshape(rows, [-1]), tf.reshape(weights, [-1]), tf.constant(steps))
