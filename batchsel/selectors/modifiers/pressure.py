"""Chances that fall off exponentially with the score itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier, State
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class Pressure(Modifier):
    """Turns scores between 0 and 1 into chances whose largest ratio is the pressure, which fades.

    Formula: s_i ← e^(−(1 − s_i)), with the pressure e = start (end / start)^progress.
    Cost: none.
    Source: the quantized exponential chances of H. Song et al., *Carpe Diem*, CIKM 2020,
    https://arxiv.org/abs/1911.08050, there in n steps, here without.

    Args:
        start: Pressure at the start of the run, at least 1.
        end: Pressure at its end, at least 1; 1 is equal chances.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Pressure()
        pressure(start=100.0, end=1.0)
    """

    name = "pressure"
    uses_training_losses = False
    start: float = 100.0
    end: float = 1.0

    def __post_init__(self) -> None:
        in_range(self, "start", 1, float("inf"), upper_open=True)
        in_range(self, "end", 1, float("inf"), upper_open=True)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Chances, infinities kept."""
        pressure = log_pressure(self.start, self.end, context)
        return tf.where(tf.math.is_inf(scores), scores, tf.exp((tf.clip_by_value(scores, 0, 1) - 1) * pressure))


def log_pressure(start: float, end: float, context: Context) -> tf.Tensor:
    """``float64[]`` logarithm of a pressure that goes geometrically from start to end over the run.

    Args:
        start: Pressure at the start of the run.
        end: Pressure at its end.
        context: Where the run stands.
    """
    progress = tf.cast(context.progress, tf.float64)
    return math.log(start) * (1 - progress) + math.log(end) * progress
