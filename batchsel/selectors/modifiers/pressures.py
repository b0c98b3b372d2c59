"""Exponentials of scores, or of their ranks, under a selection pressure that changes over the run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import AtLeastOne
from batchsel.selectors.base import State
from batchsel.selectors.ops.ranking import descending_ranks
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Pressure(Modifier):
    """An exponential of scores between 0 and 1; the largest ratio of two results is the pressure, which decays.

    Formula: s_i ← e^(−(1 − s_i)), with the pressure e = start (end / start)^progress.
    Cost: none.
    Source: the quantized exponential probabilities of H. Song et al., *Carpe Diem*, CIKM 2020,
    https://arxiv.org/abs/1911.08050, there in n steps, here not quantized.

    Args:
        start: Pressure at the start of the run, at least 1.
        end: Pressure at its end, at least 1; 1 makes all samples equally likely.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Pressure()
        pressure(start=100.0, end=1.0)
    """

    name = "pressure"
    start: AtLeastOne = 100.0
    end: AtLeastOne = 1.0

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the exponentials, infinities kept."""
        pressure = log_pressure(self.start, self.end, context)
        return tf.where(tf.math.is_inf(scores), scores, tf.exp((tf.clip_by_value(scores, 0, 1) - 1) * pressure))


def log_pressure(start: AtLeastOne, end: AtLeastOne, context: Context) -> tf.Tensor:
    """Return the ``float64[]`` logarithm of a pressure that goes geometrically from start to end over the run."""
    progress = tf.cast(context.progress, tf.float64)
    return math.log(start) * (1 - progress) + math.log(end) * progress


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
        pressure = log_pressure(self.start, self.end, context)
        return tf.where(tf.math.is_inf(scores), scores, tf.exp(-ranks * pressure / context.n))
