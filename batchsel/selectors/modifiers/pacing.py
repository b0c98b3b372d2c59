"""Curriculum pacing: the share of the data in use, as a function of progress."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.core.parameters import PositiveShare
from batchsel.selectors.base import State
from batchsel.selectors.ops.ranking import quantile, upper_quantile
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context


def share_in_use(
    form: Literal["exponential", "linear", "step"], start: PositiveShare, end: PositiveShare, progress: tf.Tensor
) -> tf.Tensor:
    """Return the share of the data in use, the pacing function.

    Args:
        form: "exponential": start^(1 − t / end), geometric; "linear": straight from start to 1; "step": start, then 1.
        start: Share at the start, in (0, 1].
        end: Progress from which all data are in use, in (0, 1].
        progress: ``[]`` t, in [0, 1].

    Returns:
        ``float64[]`` in [start, 1].

    Example:
        >>> [round(float(share_in_use("exponential", 0.25, 1.0, tf.constant(t))), 3) for t in (0.0, 0.5, 1.0)]
        [0.25, 0.5, 1.0]
    """
    t = tf.clip_by_value(tf.cast(progress, tf.float64) / end, 0, 1)
    if form == "exponential":
        return tf.exp(math.log(start) * (1 - t))
    if form == "linear":
        return start + (1 - start) * t
    return tf.where(t < 1, tf.constant(start, tf.float64), 1)


@dataclass(frozen=True, repr=False)
class Pacing(Modifier):
    """A share of the samples in use that grows with progress, from the easiest (or hardest) on.

    Formula: s_i ← 1 for the ⌈g(t) n⌉ samples of lowest score (of highest with order "hard"; with all that tie with
    the last), else 0, where g rises from `start` at progress 0 to 1 at progress `end`. Unseen samples are in use.
    Cost: O(n) for each plan.
    Source: G. Hacohen and D. Weinshall, *On The Power of Curriculum Learning in Training Deep Networks*, ICML 2019,
    https://arxiv.org/abs/1904.03626. Its exponential pacing grows in steps by a factor, here smoothly: with the form
    "exponential" g is start^(1 − t / end), a geometric growth. X. Wu, E. Dyer and B. Neyshabur, *When Do Curricula
    Work?*, ICLR 2021, call another form exponential, which rises late: halfway to `end` it has .11 of the data where
    this has .32 (start 0.1). They find curricula no better than a random order in standard training.

    Args:
        start: Share of the data at the start, in (0, 1].
        end: Progress from which all data are in use, in (0, 1].
        form: "exponential" (geometric), "linear" or "step".
        order: "easy" or "hard" first.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> Pacing(order="hard")
        pacing(start=0.1, end=0.5, form='exponential', order='hard')
    """

    name = "pacing"
    start: PositiveShare = 0.1
    end: PositiveShare = 0.5
    form: Literal["exponential", "linear", "step"] = "exponential"
    order: Literal["easy", "hard"] = "easy"

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return 1 for samples in use and 0 for others, infinities kept."""
        share = share_in_use(self.form, self.start, self.end, context.progress)
        values = tf.cast(scores, tf.float32)
        easy = self.order == "easy"
        used = values <= quantile(scores, share) if easy else values >= upper_quantile(scores, share)
        return tf.where(tf.math.is_inf(scores), scores, tf.cast(used, tf.float64))
