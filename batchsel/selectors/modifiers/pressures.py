"""Exponentials of scores, or of their ranks, under a selection pressure that changes over the run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Amount, AtLeastOne, Share
from batchsel.selectors.base import State
from batchsel.selectors.modifiers.blending import is_warmup
from batchsel.selectors.ops.ranking import descending_ranks
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Pressure(Modifier):
    """An exponential of scores between 0 and 1; the largest ratio of two results is the pressure, which decays.

    Formula: s_i ← e^(−(1 − s_i)), with the pressure e = start (end / start)^u. Without a warmup u is progress. With
    one, s_i ← 1 while samples trained on < warmup · n and progress < most, and u goes from 0 to 1 over the rest of the
    run.
    Cost: none.
    Source: the quantized exponential probabilities of H. Song et al., *Carpe Diem*, CIKM 2020,
    https://arxiv.org/abs/1911.08050, there in n steps, here not quantized, which changes no ratio of two probabilities
    by more than e^(1 / n).

    Args:
        start: Pressure at the start of the run, at least 1.
        end: Pressure at its end, at least 1; 1 makes all samples equally likely.
        warmup: Passes with equal scores before it acts and starts to change, at least 0.
        most: Progress at which the warmup ends at the latest, in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Pressure()
        pressure(start=100.0, end=1.0, warmup=0.0, most=1.0)
    """

    name = "pressure"
    start: AtLeastOne = 100.0
    end: AtLeastOne = 1.0
    warmup: Amount = 0.0
    most: Share = 1.0

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the exponentials, or ones during the warmup, infinities kept."""
        pressure = log_pressure(self.start, self.end, self._share(context))
        pressed = tf.exp((tf.clip_by_value(scores, 0, 1) - 1) * pressure)
        if self.warmup:
            pressed = tf.where(is_warmup(self.warmup, self.most, context), tf.ones_like(pressed), pressed)
        return tf.where(tf.math.is_inf(scores), scores, pressed)

    def _share(self, context: Context) -> tf.Tensor:
        """Return the ``float64[]`` share of the run after the warmup that is over."""
        progress = tf.cast(context.progress, tf.float64)
        if not self.warmup:
            return progress
        passes = tf.cast(context.passes, tf.float64)
        end = tf.minimum(self.warmup * progress / tf.where(passes > 0, passes, 1), self.most)
        return tf.clip_by_value((progress - end) / tf.maximum(1 - end, 1e-9), 0, 1)


def log_pressure(start: float, end: float, share: tf.Tensor) -> tf.Tensor:
    """Return the ``float64[]`` logarithm of a pressure that goes geometrically from start to end as the share grows."""
    return math.log(start) * (1 - share) + math.log(end) * share


@dataclass(frozen=True, repr=False)
class RankPressure(Modifier):
    """An exponential of the rank of scores, however large the scores are.

    Formula: with rank r_i = 1 ... n from the highest score down (ties in random order), s_i ← exp(−r_i ln(e) / n), so
    that the first is drawn e^((n − 1) / n) times as often as the last; the pressure e goes geometrically from `start`
    to `end` over the run, e = start (end / start)^progress.
    Cost: O(n log n) for each plan.
    Source: I. Loshchilov and F. Hutter, *Online Batch Selection for Faster Training of Neural Networks*, ICLR 2016
    workshop, https://arxiv.org/abs/1511.06343

    Args:
        start: Pressure at the start of the run, at least 1.
        end: Pressure at its end, at least 1; 1 makes all samples equally likely.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> RankPressure(start=10.0)
        rank_pressure(start=10.0, end=1.0)
    """

    name = "rank_pressure"
    start: AtLeastOne = 100.0
    end: AtLeastOne = 1.0

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the exponentials of the ranks, infinities kept."""
        ranks = tf.cast(descending_ranks(scores, context.rng), tf.float64) + 1
        pressure = log_pressure(self.start, self.end, tf.cast(context.progress, tf.float64))
        return tf.where(tf.math.is_inf(scores), scores, tf.exp(-ranks * pressure / context.n))
