"""A window over groups of similar difficulty that moves from easy to hard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tensorflow as tf

from batchsel.core.parameters import Between, PositiveShare
from batchsel.selectors.base import State
from batchsel.selectors.ops.grouping import nearest_groups
from batchsel.selectors.ops.sampling import quantize
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class DifficultyWindow(Modifier):
    """A window of neighboring groups of samples of similar score, which moves with each plan.

    Formula: one-dimensional k-means, solved exactly for up to 512 scores and to within a millionth of the least sum of
    squares for more, divides the known scores into `groups` groups, numbered from easy to hard. Samples of the w =
    width · groups (rounded) groups j, ..., j + w − 1 have s_i ← 1 and others 0, where j grows by one with every plan
    and starts again after the hardest group. Equal scores are in one group; where a window is empty, as with few
    different scores, all samples are in use. So are unseen samples.
    Cost: O(n log n) for each plan.
    Source: SeTa, *SeTa: scale efficient training*, CVPR 2025, https://arxiv.org/abs/2503.13385, whose code calls
    scikit-learn's k-means, which starts at random and may stop at a worse division.

    Args:
        groups: Number of groups, from 1 to 256.
        width: Share of the groups in the window, in (0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> DifficultyWindow(groups=5)
        difficulty_window(groups=5, width=0.5)
    """

    name = "difficulty_window"
    groups: Annotated[int, Between(1, 256)] = 10
    width: PositiveShare = 0.5

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return 1 for the samples of the window and 0 for others; infinity for unknown scores."""
        known = tf.math.is_finite(scores)
        group = nearest_groups(quantize(scores), known, self.groups)
        width = max(1, round(self.width * self.groups))
        first = tf.cast(tf.math.floormod(context.plans, self.groups - width + 1), tf.int32)
        inside = (group >= first) & (group < first + width)
        inside |= ~tf.reduce_any(inside & known)
        return tf.where(known, tf.cast(inside, tf.float64), float("inf"))
