"""Selective backpropagation: train on what the model finds hard, judged by a forward pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import check_integer, in_range
from batchsel.selectors.ops.sampling import bernoulli, partition_kept
from batchsel.selectors.pooled import Pooled, taken_first
from batchsel.selectors.types import Context, SampleStats, Selection


@dataclass(frozen=True, repr=False)
class SelectiveBackprop(Pooled):
    """Scores a pool and keeps each sample with a power of its loss's percentile among the latest losses.

    Formula: P(keep i) = max(floor, F(ℓ_i)^β), with F the empirical distribution of the last `history` losses. About one
    in β + 1 is kept, and a pool holds ⌈β + 1⌉ batches, so that about a batch is kept of each; what is above b is
    dropped, and where less is kept the batch is smaller. (The authors collect samples until a batch is full.) The first
    pass is plain shuffling.
    Cost: ⌈β + 1⌉ b forward passes a step, counted as samples scored; `history` floats. Biased toward high loss.
    Source: A. Jiang et al., *Accelerating Deep Learning by Focusing on the Biggest Losers*, 2019,
    https://arxiv.org/abs/1910.00762; reported there: up to 3.5 times faster on SVHN.

    Args:
        beta: β, at least 0: 1 keeps half, 2 a third.
        floor: Least probability, in [0, 1].
        history: How many of the latest losses are the measure, at least 1.

    Raises:
        UsageError: If a parameter is not of that kind.

    Example:
        >>> SelectiveBackprop(beta=2.0).pool_size(batch_size=10)
        30
    """

    name = "selective_backprop"
    uses_training_losses = False
    beta: float = 1.0
    floor: float = 0.0
    history: int = 1024
    can_skip_scoring = True

    def __post_init__(self) -> None:
        in_range(self, "beta", 0, float("inf"), upper_open=True)
        in_range(self, "floor", 0, 1)
        check_integer(self, "history", 1)

    @property
    def pool(self) -> int:
        """Batches in a pool."""
        return math.ceil(self.beta + 1)

    def init(self, n: int) -> tuple[tf.Tensor, tf.Tensor]:
        """``float32[history]`` the latest losses, infinite where there are none, and where the next one goes."""
        return tf.fill([self.history], float("inf")), tf.zeros([], tf.int32)

    def active(self, state: tuple[tf.Tensor, tf.Tensor], context: Context) -> tf.Tensor:
        """From the second pass on."""
        return tf.fill([self.steps_per_plan(context.n, context.batch_size)], context.passes >= 1)

    def observe(self, state: tuple[tf.Tensor, tf.Tensor], candidates: SampleStats, context: Context) -> tuple:
        """Puts the losses of the pool in the place of the oldest."""
        losses, place = state
        size = min(candidates.loss.shape[0], self.history)
        places = (place + tf.range(size)) % self.history
        # Rows that only fill up the pool leave their places empty.
        found = tf.where(candidates.valid, candidates.loss, float("inf"))[:size]
        losses = tf.tensor_scatter_nd_update(losses, places[:, None], found)
        return losses, (place + size) % self.history

    def choose(self, state: tuple[tf.Tensor, tf.Tensor], candidates: SampleStats, context: Context) -> Selection:
        """The kept rows in random order."""
        known = tf.math.is_finite(state[0])
        # Before there is a history, the pool itself is the measure.
        losses = tf.where(tf.reduce_any(known), state[0], float("inf"))
        reference = tf.concat([losses, tf.where(candidates.valid, candidates.loss, float("inf"))], axis=0)
        count = tf.math.count_nonzero(tf.math.is_finite(reference), dtype=tf.int32)
        below = tf.reduce_sum(tf.cast(reference[None] <= candidates.loss[:, None], tf.int32), axis=1)
        place = tf.cast(below, tf.float64) / tf.cast(count, tf.float64)
        chances = tf.maximum(tf.pow(place, self.beta), self.floor)
        keep = bernoulli(tf.where(candidates.valid, chances, 0), context.rng, "selective_backprop/keep")
        order = context.rng.permutation(candidates.loss.shape[0], "selective_backprop/order")
        rows, kept = partition_kept(order, keep)
        # If nothing was kept, the hardest row is trained on.
        hardest = tf.argmax(tf.where(candidates.valid, candidates.loss, float("-inf")), output_type=tf.int32)
        rows = tf.where(kept > 0, rows, (tf.range(rows.shape[0]) + hardest) % rows.shape[0])
        return taken_first(rows, kept, context.batch_size)
