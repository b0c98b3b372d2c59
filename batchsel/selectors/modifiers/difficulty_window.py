"""A window over groups of similar difficulty that moves from easy to hard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tensorflow as tf

from batchsel.core.parameters import Between, PositiveShare
from batchsel.selectors.base import State
from batchsel.selectors.ops.ranking import quantile
from batchsel.selectors.ops.sampling import quantize
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context

_ROUNDS = 10


@dataclass(frozen=True, repr=False)
class DifficultyWindow(Modifier):
    """A window of neighboring groups of samples of similar score, which moves with each plan.

    Formula: one-dimensional k-means divides the known scores into `groups` groups, numbered from easy to hard. Samples
    of the w = width · groups (rounded) groups j, ..., j + w − 1 have s_i ← 1 and others 0, where j grows by one with
    every plan and starts again after the hardest group. Unseen samples are in use.
    Cost: O(n · groups) for each plan.
    Source: SeTa, *SeTa: scale efficient training*, CVPR 2025, https://arxiv.org/abs/2503.13385

    Args:
        groups: Number of groups, at least 1.
        width: Share of the groups in the window, in (0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> DifficultyWindow(groups=5)
        difficulty_window(groups=5, width=0.5)
    """

    name = "difficulty_window"
    groups: Annotated[int, Between(1, 4096)] = 10
    width: PositiveShare = 0.5

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return 1 for the samples of the window and 0 for others, infinities kept."""
        known = tf.math.is_finite(scores)
        group = _groups(quantize(scores), known, self.groups)
        width = max(1, round(self.width * self.groups))
        first = tf.cast(tf.math.floormod(context.plans, self.groups - width + 1), tf.int32)
        inside = (group >= first) & (group < first + width)
        # Groups may be empty; a window of empty groups is opened to all samples.
        inside |= ~tf.reduce_any(inside & known)
        return tf.where(known, tf.cast(inside, tf.float64), scores)


def _groups(levels: tf.Tensor, known: tf.Tensor, count: int) -> tf.Tensor:
    """Group the ``int64[n]`` levels by Lloyd's algorithm, all in integers; unknown levels move no center.

    Returns:
        ``int32[n]``, 0 for the lowest group.
    """
    # It starts from quantiles: losses have long tails, in which equal steps would leave groups empty.
    ranked = tf.where(known, tf.cast(levels, tf.float64), float("inf"))
    starts = [quantile(ranked, (2 * i + 1) / (2 * count)) for i in range(count)]
    centers = tf.cast(tf.where(tf.math.is_inf(tf.stack(starts)), 0.0, tf.stack(starts)), tf.int64)

    def assign(centers: tf.Tensor) -> tf.Tensor:
        middles = (centers[1:] + centers[:-1]) // 2
        group = tf.zeros(levels.shape, tf.int32)
        for i in range(count - 1):
            group += tf.cast(levels > middles[i], tf.int32)
        return group

    def improve(centers: tf.Tensor) -> tf.Tensor:
        group = assign(centers)
        means = []
        for i in range(count):
            members = known & (group == i)
            size = tf.math.count_nonzero(members)
            total = tf.reduce_sum(tf.where(members, levels, 0))
            means.append(tf.where(size > 0, total // tf.maximum(size, 1), centers[i]))
        return tf.sort(tf.stack(means))

    (centers,) = tf.while_loop(
        lambda centers: True, lambda centers: (improve(centers),), (centers,), maximum_iterations=_ROUNDS
    )
    return assign(centers)
