"""Pruning by losses of like models, weighed by how often a sample was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from batchsel.core.checks import check_integer, in_range
from batchsel.selectors.base import Selector
from batchsel.selectors.draws.keep import kept_pass
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.types import Context, Plan, SampleStats


class _State(NamedTuple):
    low: tf.Tensor
    """``bool[n]``: whether the loss lay below the mean of its window."""
    visits: tf.Tensor
    """``int32[n]``: passes that the sample was in."""
    mean: tf.Tensor
    """``float32[]``: mean loss of the latest batches."""


@dataclass(frozen=True, repr=False)
class RePB(Selector):
    """Leaves out a random part of the samples whose loss was low among those seen at about the same time.

    Formula: when sample i is trained on, its loss is compared with a moving average over about `window` batches, made
    by nearly the same model; where it was lower, the sample is left out of the next pass with probability r. A sample
    that is there for the c-th time in the k-th pass weighs k / c. From progress δ on all data are used with weight 1.
    Cost: a flag and a number a sample, O(n) a pass, no extra forward pass. Unbiased in the limit of many
    passes: where a sample is there with a fixed probability, k / c goes to one over it; in the first passes samples of
    low loss weigh too little.
    Source: *Inconsistency Biases in Dynamic Data Pruning*, ICLR 2026, https://openreview.net/forum?id=Zw1Uw7u6Su, known
    here from its abstract: a port of its two ideas, local windows and cumulative reweighting. Reported there: about 30
    % of the data saved without loss.

    Args:
        r: Probability that a sample of low loss is left out, in [0, 1).
        window: Batches whose losses are comparable, at least 1.
        delta: Progress from which all of the data are used, in [0, 1].

    Raises:
        UsageError: If a parameter is not of that kind.

    Example:
        >>> RePB()
        repb(r=0.5, window=8, delta=0.875)
    """

    name = "repb"
    r: float = 0.5
    window: int = 8
    delta: float = 0.875

    def __post_init__(self) -> None:
        in_range(self, "r", 0, 1, upper_open=True)
        check_integer(self, "window", 1)
        in_range(self, "delta", 0, 1)

    def init(self, n: int) -> _State:
        """Nothing is low, nothing was there."""
        return _State(tf.zeros([n], tf.bool), tf.zeros([n], tf.int32), tf.zeros([]))

    def update(self, state: _State, stats: SampleStats, context: Context) -> _State:
        """Compares the losses of the batch with those of its window."""
        valid = tf.cast(stats.valid, tf.float32)
        batch = tf.reduce_sum(valid * stats.loss) / tf.maximum(tf.reduce_sum(valid), 1.0)
        # The window's mean as a moving average over as many batches as there are, up to `window`.
        size = tf.cast(tf.clip_by_value(context.step, 1, self.window), tf.float32)
        mean = state.mean + (batch - state.mean) / size
        return _State(
            scatter_update(state.low, stats.indices, stats.loss < mean),
            scatter_update(state.visits, stats.indices, tf.gather(state.visits, stats.indices) + 1),
            mean,
        )

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """A pass, if nothing is left out."""
        return -(-n // batch_size)

    def plan(self, state: _State, context: Context) -> Plan:
        """The kept samples in random order."""
        everything = context.progress >= self.delta
        chances = tf.where(state.low & ~everything, tf.constant(1 - self.r, tf.float64), 1)
        passes, there = tf.cast(context.plans, tf.float32) + 1, tf.cast(state.visits, tf.float32) + 1
        weights = tf.where(everything, tf.ones_like(there), tf.maximum(passes / there, 1.0))
        return kept_pass(chances, weights, context, "repb")
