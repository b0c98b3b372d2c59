"""Shuffling that records a map of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from batchsel.core.parameters import PositiveShare
from batchsel.selectors.base import Selector
from batchsel.selectors.ops.sampling import padded_plan, scatter_update
from batchsel.selectors.types import Context, Plan, SampleStats


class TrainingDynamics(NamedTuple):
    """Statistics of the training on each sample, ``[n]`` each."""

    times: tf.Tensor
    """``float32`` number of times it was trained on."""
    confidence: tf.Tensor
    """``float32`` mean probability of its class."""
    squares: tf.Tensor
    """``float32`` sum of squared deviations from that mean (Welford's algorithm)."""
    right: tf.Tensor
    """``float32`` number of correct predictions."""
    forgotten: tf.Tensor
    """``float32`` number of wrong predictions after a correct one."""
    was_right: tf.Tensor
    """``bool`` true if the last prediction was correct."""


@dataclass(frozen=True, repr=False)
class DataMap(Selector):
    """Plain shuffling that records a map of the data: confidence, variability and correctness of each sample.

    Formula: for each sample the mean μ_i and the standard deviation σ_i of the probability of its class over all times
    it was trained on, the share of correct predictions, and its forgetting events. `batchsel map` also computes EL2N,
    ‖p − y‖ of all samples under the model at the end of the first pass that ends at progress `early` or later.
    Cost: 21 bytes a sample; as `random` otherwise.
    Source: S. Swayamdipta et al., *Dataset Cartography*, EMNLP 2020, https://arxiv.org/abs/2009.10795; M. Toneva et
    al., *An Empirical Study of Example Forgetting*, ICLR 2019, https://arxiv.org/abs/1812.05159; M. Paul, S. Ganguli
    and G. K. Dziugaite, *Deep Learning on a Data Diet*, NeurIPS 2021, https://arxiv.org/abs/2107.07075, whose score is
    a mean over several models, as `batchsel map --models 10` computes.

    Args:
        early: Progress from which on `batchsel map` computes EL2N, in (0, 1].

    Raises:
        UsageError: If `early` lies outside (0, 1].

    Example:
        >>> DataMap().signals
        ('probability', 'correct', 'gradient_norm')
    """

    name = "mapping"
    requires_nonnegative_losses = False
    early: PositiveShare = 0.25
    signals = ("probability", "correct", "gradient_norm")

    def init(self, n: int) -> TrainingDynamics:
        """Return statistics of samples not trained on yet."""
        zero = tf.zeros([n])
        return TrainingDynamics(zero, zero, zero, zero, zero, tf.zeros([n], tf.bool))

    def update(self, state: TrainingDynamics, stats: SampleStats, context: Context) -> TrainingDynamics:
        """Update the statistics of the samples just trained on."""
        old = TrainingDynamics(*(tf.gather(leaf, stats.indices) for leaf in state))
        right = stats.correct > 0.5
        times, step = old.times + 1, stats.probability - old.confidence
        confidence = old.confidence + step / times
        new = TrainingDynamics(
            times,
            confidence,
            old.squares + step * (stats.probability - confidence),
            old.right + stats.correct,
            old.forgotten + tf.cast(old.was_right & tf.logical_not(right), tf.float32),
            right,
        )
        return TrainingDynamics(
            *(scatter_update(leaf, stats.indices, rows) for leaf, rows in zip(state, new, strict=True))
        )

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass."""
        return -(-n // batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return the rows of the last batch of a pass, unless it is full."""
        return n % batch_size

    def plan(self, state: TrainingDynamics, context: Context) -> Plan:
        """Plan a pass in random order."""
        order = context.rng.permutation(context.n, "mapping")
        return padded_plan(order, tf.constant(context.n), context.batch_size)
