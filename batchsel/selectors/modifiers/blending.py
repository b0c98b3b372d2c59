"""Modifiers that blend scores with equal chances: at the start, toward the end, or throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.core.parameters import Amount, Share
from batchsel.errors import UsageError
from batchsel.selectors.base import State
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context

MOST_WARMUP = 0.5
"""Progress at which the warmup of methods ends at the latest that papers give ten passes and more."""


@dataclass(frozen=True, repr=False)
class Warmup(Modifier):
    """Equal scores for all samples during the first passes; unseen samples still come first.

    Formula: s_i ← 1 while samples trained on < passes · n, and progress < most.
    Cost: none.
    Source: the warmup epochs of I. Loshchilov and F. Hutter, *Online Batch Selection*, 2015, and others.

    Args:
        passes: Length of the warmup in passes over the data, at least 0.
        most: Progress at which it ends at the latest, in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Warmup(2)
        warmup(passes=2.0, most=1.0)
    """

    name = "warmup"
    passes: Amount = 1
    most: Share = 1.0

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return ones (infinities kept) during the warmup, the scores after it."""
        equal = tf.where(tf.math.is_inf(scores), scores, tf.ones_like(scores))
        return tf.where(is_warmup(self.passes, self.most, context), equal, scores)


def is_warmup(passes: float, most: float, context: Context) -> tf.Tensor:
    """Return ``bool[]``, true during a warmup.

    Args:
        passes: Its length in passes over the data.
        most: Progress at which it ends at the latest; 1 for none.
        context: The run at this step.
    """
    early = context.passes < passes
    return early & (context.progress < most) if most < 1 else early


@dataclass(frozen=True, repr=False)
class Anneal(Modifier):
    """A selection pressure that decays geometrically until all samples are equally likely.

    Formula: s_i ← s_i^(1 − t), where t rises from 0 at progress `start` to 1 at progress `end`; the ratio of any two
    scores decays to 1 geometrically.
    Cost: none.
    Source: the annealed selection pressure of I. Loshchilov and F. Hutter, *Online Batch Selection for Faster Training
    of Neural Networks*, 2015.

    Args:
        to: The limit, "uniform".
        start: Progress (samples trained on over samples budgeted) at which the decay begins, in [0, 1].
        end: Progress at which the limit is reached, in [0, 1], above `start`.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Anneal(end=0.5)
        anneal(to='uniform', start=0.0, end=0.5)
    """

    name = "anneal"
    to: Literal["uniform"] = "uniform"
    start: Share = 0.0
    end: Share = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end <= self.start:
            raise UsageError(f"anneal: end must be above start, got start={self.start}, end={self.end}.")

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the scores to the power of 1 − t, infinities kept."""
        t = (tf.cast(context.progress, tf.float64) - self.start) / (self.end - self.start)
        powers = tf.pow(scores, 1 - tf.clip_by_value(t, 0, 1))
        return tf.where(tf.math.is_inf(scores), scores, powers)


@dataclass(frozen=True, repr=False)
class Mix(Modifier):
    """A mixture with the uniform distribution, so that no sample is left out forever.

    Formula: s_i ← (1 − u) s_i / mean(s) + u, hence P(i) ≥ u / n.
    Cost: O(n) for each plan.
    Source: the defensive mixture of T. Hesterberg, *Weighted Average Importance Sampling and Defensive Mixture
    Distributions*, Technometrics 37 (1995).

    Args:
        uniform: u in [0, 1].

    Raises:
        UsageError: If `uniform` lies outside [0, 1].

    Example:
        >>> import tensorflow as tf
        >>> Mix(0.5).modify(tf.constant([0.0, 2.0], tf.float64), context=None).numpy().tolist()
        [0.5, 1.5]
    """

    name = "mix"
    uniform: Share = 0.1

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the mixture, infinities kept; equal scores if no score is positive."""
        finite = tf.math.is_finite(scores)
        count = tf.maximum(tf.reduce_sum(tf.cast(finite, tf.float64)), 1)
        mean = tf.reduce_sum(tf.where(finite, scores, 0)) / count
        mixed = (1 - self.uniform) * scores / tf.where(mean > 0, mean, 1) + self.uniform
        return tf.where(finite, mixed, scores)
