"""A floor under every method: no sample is left out for too long."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.checks import in_range
from batchsel.selectors.base import Modifier
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class Coverage(Modifier):
    """Puts samples first that have not been trained on for some passes.

    Formula: s_i ← ∞ if sample i was trained on last more than `passes` · n samples ago (or never, and as many have gone
    by). As long as these fit into the next plan, every sample is trained on within `passes` passes and a plan.
    Cost: a number a sample, O(n) for each plan.
    Source: the coverage guard of batchsel; sampling that never stops is what M. Raju et al., *Accelerating Deep
    Learning with Dynamic Data Pruning*, 2021, https://arxiv.org/abs/2111.12621, use random draws for.

    Args:
        passes: Passes over the data, above 0.

    Raises:
        UsageError: If `passes` is not above 0.

    Example:
        >>> Coverage()
        coverage(passes=3)
    """

    name = "coverage"
    uses_training_losses = False
    passes: float = 3

    def __post_init__(self) -> None:
        in_range(self, "passes", 0, float("inf"), lower_open=True, upper_open=True)

    def init(self, n: int) -> tf.Tensor:
        """``int64[n]``: samples trained on when each was trained on last."""
        return tf.zeros([n], tf.int64)

    def update(self, state: tf.Tensor, seen: SampleStats, context: Context) -> tf.Tensor:
        """Notes when."""
        return scatter_update(state, seen.indices, tf.fill(seen.indices.shape, context.samples))

    def modify(self, scores: tf.Tensor, context: Context, state: tf.Tensor) -> tf.Tensor:
        """The scores, infinite for samples that have waited too long."""
        waited = tf.cast(context.samples - state, tf.float64) / context.n
        return tf.where(waited > self.passes, tf.constant(float("inf"), tf.float64), scores)
