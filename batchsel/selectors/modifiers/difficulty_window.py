"""One range of difficulty at a time, from easy to hard."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import check_integer, in_range
from batchsel.selectors.base import State
from batchsel.selectors.ops.ranking import quantile
from batchsel.selectors.ops.sampling import quantize
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context

_ROUNDS = 10


@dataclass(frozen=True, repr=False)
class DifficultyWindow(Modifier):
    """Sorts the samples into groups of like score and lets in a few neighboring groups, others each plan.

    Formula: k-means on the line puts the known scores into `groups` groups, numbered from easy to hard. Of w = width ·
    groups groups (rounded), j, ..., j + w − 1, the samples have s_i ← 1 and the others 0, where j goes up by one with
    every plan and starts again when the hardest group has been reached. Unseen samples are let in.
    Cost: O(n · groups) for each plan.
    Source: SeTa, *SeTa: scale efficient training*, CVPR 2025, https://arxiv.org/abs/2503.13385

    Args:
        groups: Number of groups, at least 1.
        width: Share of the groups in the window, in (0, 1].

    Raises:
        UsageError: If a parameter is not of that kind.

    Example:
        >>> DifficultyWindow(groups=5)
        difficulty_window(groups=5, width=0.5)
    """

    name = "difficulty_window"
    groups: int = 10
    width: float = 0.5

    def __post_init__(self) -> None:
        check_integer(self, "groups", 1)
        in_range(self, "width", 0, 1, lower_open=True)

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """1 for the samples of the window and 0 for others, infinities kept."""
        known = tf.math.is_finite(scores)
        group = _groups(quantize(scores), known, self.groups)
        width = max(1, round(self.width * self.groups))
        first = tf.cast(context.plans % (self.groups - width + 1), tf.int32)
        inside = (group >= first) & (group < first + width)
        # A group may be empty; a window without anybody would be no pass.
        inside |= ~tf.reduce_any(inside & known)
        return tf.where(known, tf.cast(inside, tf.float64), scores)


def _groups(levels: tf.Tensor, known: tf.Tensor, count: int) -> tf.Tensor:
    """The group of every level by Lloyd's rounds on the line, all in integers.

    Args:
        levels: ``int64[n]``.
        known: ``bool[n]``, which of them count.
        count: Number of groups.

    Returns:
        ``int32[n]``, from 0 for the lowest.
    """
    # The rounds start from quantiles: losses have long tails, in which equal steps would leave groups empty.
    ranked = tf.where(known, tf.cast(levels, tf.float64), float("inf"))
    starts = [quantile(ranked, (2 * place + 1) / (2 * count)) for place in range(count)]
    centers = tf.cast(tf.where(tf.math.is_inf(tf.stack(starts)), 0.0, tf.stack(starts)), tf.int64)

    def group_of(centers: tf.Tensor) -> tf.Tensor:
        middles = (centers[1:] + centers[:-1]) // 2
        found = tf.zeros(levels.shape, tf.int32)
        for place in range(count - 1):
            found += tf.cast(levels > middles[place], tf.int32)
        return found

    def improve(centers: tf.Tensor) -> tf.Tensor:
        group = group_of(centers)
        means = []
        for place in range(count):
            mine = known & (group == place)
            size = tf.math.count_nonzero(mine)
            total = tf.reduce_sum(tf.where(mine, levels, 0))
            means.append(tf.where(size > 0, total // tf.maximum(size, 1), centers[place]))
        return tf.sort(tf.stack(means))

    (centers,) = tf.while_loop(
        lambda centers: True, lambda centers: (improve(centers),), (centers,), maximum_iterations=_ROUNDS
    )
    return group_of(centers)
