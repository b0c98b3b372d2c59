"""Instance-dependent early stopping."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import PositiveAmount
from batchsel.selectors.base import Selector
from batchsel.selectors.ops.sampling import partition_kept, rest_scored, scatter_update
from batchsel.selectors.types import Context, Plan, SampleStats

_LOSSES = 5
_FEWEST = 6
"""Losses from which on a sample can be mastered: the authors wait for four second differences."""


@dataclass(frozen=True, repr=False)
class IES(Selector):
    """A pass without the samples whose loss has settled, which are only scored.

    Formula: with the last losses ℓ of sample i, the second difference is Δ² = ℓ₋₀ − 2 ℓ₋₁ + ℓ₋₂. From the sixth loss
    on, the sample is mastered and left out of the next pass if the mean of the last three |Δ²| lies below the
    threshold. Mastered samples are scored at the end of each pass and come back when their loss changes.
    Cost: six numbers a sample, O(n) a pass; a forward pass for each mastered sample, counted as scored. If
    `refresh` is false, they are not scored and never come back. Biased.
    Source: S. Yuan et al., *Instance-dependent Early Stopping*, ICLR 2025, https://arxiv.org/abs/2502.07547; reported
    there: 10 to 50 % fewer backward passes. If all samples are mastered, all are trained on; the authors' code ends.

    Args:
        threshold: Above 0; the paper has 0.001 on CIFAR-10 and 0.002 on CIFAR-100.
        refresh: Whether to score the samples that are left out.

    Raises:
        UsageError: If `threshold` is not above 0.

    Example:
        >>> IES()
        ies(threshold=0.001, refresh=True)
    """

    name = "ies"
    threshold: PositiveAmount = 0.001
    refresh: bool = True
    scores_excluded = True

    def init(self, n: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return ``float32[n, 5]`` losses, the latest first, and their ``int32[n]`` number so far."""
        return tf.zeros([n, _LOSSES]), tf.zeros([n], tf.int32)

    def update(
        self, state: tuple[tf.Tensor, tf.Tensor], stats: SampleStats, context: Context
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Add the latest losses at the front."""
        losses, count = state
        rows = tf.concat([stats.loss[:, None], tf.gather(losses, stats.indices)[:, :-1]], axis=1)
        return scatter_update(losses, stats.indices, rows), scatter_update(
            count, stats.indices, tf.gather(count, stats.indices) + 1
        )

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass and one more, in case both parts end with a partial batch."""
        return -(-n // batch_size) + 1

    def plan(self, state: tuple[tf.Tensor, tf.Tensor], context: Context) -> Plan:
        """Plan the samples to train on, then those that are only scored."""
        order = context.rng.permutation(context.n, "ies")
        rows, kept = partition_kept(order, tf.logical_not(self._mastered(*state)))
        rows, kept = tf.where(kept > 0, rows, order), tf.where(kept > 0, kept, context.n)
        return rest_scored(rows, kept, context.batch_size, tf.ones([]), tf.constant(self.refresh))

    def _mastered(self, losses: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        curvatures = tf.abs(losses[:, :-2] - 2 * losses[:, 1:-1] + losses[:, 2:])
        return (count >= _FEWEST) & (tf.reduce_mean(curvatures, axis=1) < self.threshold)
