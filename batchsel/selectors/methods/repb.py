"""Pruning by losses of the same period, with weights by the number of visits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import tensorflow as tf

from batchsel.core.parameters import Between, Share, ShareBelowOne
from batchsel.selectors.base import Selector
from batchsel.selectors.draws.keep import plan_kept
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.types import Context, Plan, SampleStats


class _State(NamedTuple):
    low: tf.Tensor
    """``bool[n]`` true if the loss was below the mean of its window."""
    visits: tf.Tensor
    """``int32[n]`` number of passes that the sample was in."""
    mean: tf.Tensor
    """``float32[]`` mean loss of the latest batches."""


@dataclass(frozen=True, repr=False)
class RePB(Selector):
    """A pass without a random share of the samples whose loss was low among those seen at about the same time.

    Formula: when sample i is trained on, its loss is compared with a moving average over about `window` batches, under
    nearly the same model; if it is lower, the sample is left out of the next pass with probability r. A sample that is
    used for the c-th time in the k-th pass has the weight k / c. The last epochs, of C those
    with a number above δ C, use all data with weight 1, as in `keep`.
    Cost: a flag and an integer a sample, O(n) a pass, no extra forward pass. Unbiased in the limit of many passes: if a
    sample is used with a fixed probability, k / c converges to one over it; in the first passes the weights of samples
    of low loss are too small.
    Source: *Inconsistency Biases in Dynamic Data Pruning*, ICLR 2026, https://openreview.net/forum?id=Zw1Uw7u6Su, known
    here from its abstract: a port of its two ideas, local windows and cumulative reweighting. Reported there: about 30
    % of the data saved without loss.

    Args:
        r: Probability that a sample of low loss is left out, in [0, 1).
        window: Batches whose losses are comparable, at least 1.
        delta: Share of the epochs after which all data are used, in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> RePB()
        repb(r=0.5, window=8, delta=0.875)
    """

    name = "repb"
    r: ShareBelowOne = 0.5
    window: Annotated[int, Between(1, 4096)] = 8
    delta: Share = 0.875

    def init(self, n: int) -> _State:
        """Return the state of samples that have not been used yet."""
        return _State(tf.zeros([n], tf.bool), tf.zeros([n], tf.int32), tf.zeros([]))

    def update(self, state: _State, stats: SampleStats, context: Context) -> _State:
        """Compare the losses of the batch with the mean of its window."""
        valid = tf.cast(stats.valid, tf.float32)
        batch = tf.reduce_sum(valid * stats.loss) / tf.maximum(tf.reduce_sum(valid), 1.0)
        # The mean of the window is a moving average over the batches so far, at most `window`.
        size = tf.cast(tf.clip_by_value(context.step, 1, self.window), tf.float32)
        mean = state.mean + (batch - state.mean) / size
        return _State(
            scatter_update(state.low, stats.indices, stats.loss < mean),
            scatter_update(state.visits, stats.indices, tf.gather(state.visits, stats.indices) + 1),
            mean,
        )

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass over all samples."""
        return -(-n // batch_size)

    def plan(self, state: _State, context: Context) -> Plan:
        """Plan a pass over the kept samples in random order."""
        chances = tf.where(state.low, tf.constant(1 - self.r, tf.float64), 1)
        passes, visits = tf.cast(context.plans, tf.float32) + 1, tf.cast(state.visits, tf.float32) + 1
        return plan_kept(chances, tf.maximum(passes / visits, 1.0), context, "repb", self.delta)
