"""Shuffles, and remembers how training on each sample went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Selector
from batchsel.selectors.ops.sampling import padded_plan, scatter_update
from batchsel.selectors.types import Context, Plan, SampleStats


class Course(NamedTuple):
    """How training on each sample went, ``[n]`` each."""

    times: tf.Tensor
    """``float32``: how often it was trained on."""
    confidence: tf.Tensor
    """``float32``: mean probability of its class."""
    squares: tf.Tensor
    """``float32``: sum of squared deviations from that mean (Welford's)."""
    right: tf.Tensor
    """``float32``: how often it was classified rightly."""
    forgotten: tf.Tensor
    """``float32``: how often it was classified wrongly when it had been right the time before."""
    was_right: tf.Tensor
    """``bool``: whether it was right the last time."""
    error: tf.Tensor
    """``float32``: mean norm of p − y while it was early."""
    early: tf.Tensor
    """``float32``: how often it was trained on while it was early."""


@dataclass(frozen=True, repr=False)
class DataMap(Selector):
    """Plain shuffling that keeps a map of the data: how sure and how right the model was on each sample.

    Formula: for each sample the mean μ_i and the standard deviation σ_i of the probability of its class over the times
    that it was trained on, the share of times that it was right, its forgetting events, and the mean of ‖p − y‖ while
    progress was below `early` (EL2N).
    Cost: 29 bytes a sample; as `random` otherwise.
    Source: S. Swayamdipta et al., *Dataset Cartography*, EMNLP 2020, https://arxiv.org/abs/2009.10795; M. Toneva et
    al., *An Empirical Study of Example Forgetting*, ICLR 2019, https://arxiv.org/abs/1812.05159; M. Paul, S. Ganguli
    and G. K. Dziugaite, *Deep Learning on a Data Diet*, NeurIPS 2021, https://arxiv.org/abs/2107.07075, whose score is
    a mean over several models, as `batchsel map --models 10` gives it.

    Args:
        early: Progress up to which p − y counts, in (0, 1].

    Raises:
        UsageError: If `early` lies outside (0, 1].

    Example:
        >>> DataMap().signals
        ('probability', 'correct', 'gradient_norm')
    """

    name = "mapping"
    requires_nonnegative_losses = False
    early: float = 0.25
    signals = ("probability", "correct", "gradient_norm")

    def __post_init__(self) -> None:
        in_range(self, "early", 0, 1, lower_open=True)

    def init(self, n: int) -> Course:
        """Nothing has happened."""
        zero = tf.zeros([n])
        return Course(zero, zero, zero, zero, zero, tf.zeros([n], tf.bool), zero, zero)

    def update(self, state: Course, stats: SampleStats, context: Context) -> Course:
        """Notes how it went with the samples just trained on."""
        old = Course(*(tf.gather(leaf, stats.indices) for leaf in state))
        right = stats.correct > 0.5
        times, step = old.times + 1, stats.probability - old.confidence
        confidence = old.confidence + step / times
        early = tf.cast(context.progress <= self.early, tf.float32)
        counted = old.early + early
        new = Course(
            times,
            confidence,
            old.squares + step * (stats.probability - confidence),
            old.right + stats.correct,
            old.forgotten + tf.cast(old.was_right & ~right, tf.float32),
            right,
            old.error + early * (stats.gradient_norm - old.error) / tf.maximum(counted, 1.0),
            counted,
        )
        return Course(*(scatter_update(leaf, stats.indices, rows) for leaf, rows in zip(state, new, strict=True)))

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """A pass."""
        return -(-n // batch_size)

    def plan(self, state: Course, context: Context) -> Plan:
        """A pass in random order."""
        order = context.rng.permutation(context.n, "mapping")
        return padded_plan(order, tf.constant(context.n), context.batch_size)
