"""Samples below a loss that rises."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.ops.ranking import quantile
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class RisingLimit(Modifier):
    """Lets in the samples whose score lies below a limit that grows with every pass; for scores that are losses.

    Formula: s_i ← 1 where s_i ≤ λ, else 0, with λ = λ₀ · growth^(k − 1) after k passes over the data. λ₀ is the
    quantile `start` of the losses at the end of the first pass, until when everything is let in.
    Cost: a number, O(n) for each plan.
    Source: M. P. Kumar, B. Packer and D. Koller, *Self-Paced Learning for Latent Variable Models*, NIPS 2010. There λ₀
    is a number that the user finds; here a quantile, so that it suits any loss.

    Args:
        start: The quantile, in (0, 1].
        growth: Factor for each pass, at least 1.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> RisingLimit()
        rising_limit(start=0.5, growth=1.3)
    """

    name = "rising_limit"
    start: float = 0.5
    growth: float = 1.3

    def __post_init__(self) -> None:
        in_range(self, "start", 0, 1, lower_open=True)
        in_range(self, "growth", 1, float("inf"), upper_open=True)

    def init(self, n: int) -> tf.Tensor:
        """``float32[]``: λ₀, infinite until it is known."""
        return tf.constant(float("inf"))

    def update(self, state: tf.Tensor, seen: SampleStats, context: Context) -> tf.Tensor:
        """Takes λ₀ from the losses when the first pass has ended."""
        due = tf.math.is_inf(state) & (context.samples >= context.n)
        losses = tf.cast(context.losses, tf.float64)
        return tf.cond(due, lambda: quantile(losses, self.start), lambda: state)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """1 for samples in use and 0 for others, infinities kept."""
        passes = tf.maximum(tf.cast(context.passes, tf.float64) - 1, 0)
        limit = tf.cast(state, tf.float64) * tf.pow(tf.constant(self.growth, tf.float64), passes)
        return tf.where(tf.math.is_inf(scores), scores, tf.cast(scores <= limit, tf.float64))
