"""Guards: against outliers at the top of the scores, and against leaving a sample out for too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.core.parameters import Passes, PositiveShare
from batchsel.selectors.base import State
from batchsel.selectors.ops.ranking import quantile
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Modifier
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class Cap(Modifier):
    """An upper limit of scores at a quantile: scores above it are clipped, or their samples skipped.

    Formula: with q the quantile of the known scores, s_i ← min(s_i, q), or with `above` "skip" s_i ← 0 where s_i > q.
    Cost: O(n) for each plan.
    Source: the loss percentile above which samples are dropped in L. Jiang et al., *MentorNet*, ICML 2018,
    https://arxiv.org/abs/1712.05055

    Args:
        quantile: In (0, 1].
        above: "clip" or "skip".

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> import tensorflow as tf
        >>> Cap(0.5).modify(tf.constant([1.0, 2.0, 3.0, 4.0], tf.float64), context=None).numpy().tolist()
        [1.0, 2.0, 2.0, 2.0]
    """

    name = "cap"
    quantile: PositiveShare = 0.95
    above: Literal["clip", "skip"] = "clip"

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the limited scores, infinities kept."""
        limit = quantile(scores, self.quantile)
        high = tf.math.is_finite(scores) & (tf.cast(scores, tf.float32) > limit)
        return tf.where(high, tf.cast(limit, tf.float64) if self.above == "clip" else tf.zeros_like(scores), scores)


@dataclass(frozen=True, repr=False)
class Coverage(Modifier):
    """A priority for samples that have not been trained on for some passes.

    Formula: s_i ← ∞ if sample i was trained on last more than `passes` · n samples ago (or never, and as many have been
    trained on). As long as these fit into the next plan, every sample is trained on within `passes` passes and a plan.
    Cost: a number a sample, O(n) for each plan.
    Source: the coverage guard of batchsel; M. Raju et al., *Accelerating Deep Learning with Dynamic Data Pruning*,
    2021, https://arxiv.org/abs/2111.12621, keep visiting all samples by random draws.

    Args:
        passes: Passes over the data, above 0.

    Raises:
        UsageError: If `passes` is not above 0.

    Example:
        >>> Coverage()
        coverage(passes=3.0)
    """

    name = "coverage"
    passes: Passes = 3

    def init(self, n: int) -> tf.Tensor:
        """Return ``int64[n]``: number of samples trained on when each sample was trained on last."""
        return tf.zeros([n], tf.int64)

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Record when the samples were trained on."""
        return scatter_update(state, stats.indices, tf.fill(stats.indices.shape, context.samples))

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return the scores, infinite for samples that have waited too long."""
        waited = tf.cast(context.samples - state, tf.float64) / context.n
        return tf.where(waited > self.passes, tf.constant(float("inf"), tf.float64), scores)
