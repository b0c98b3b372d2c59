"""DivBS, diverse batches: rows that span the mean gradient of their pool."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Pool
from batchsel.selectors.base import State
from batchsel.selectors.ops.greedy import last_layer_products, orthogonal
from batchsel.selectors.pooled import Pooled, take_rows
from batchsel.selectors.types import Context, SampleStats, Selection


@dataclass(frozen=True, repr=False)
class DivBS(Pooled):
    """The rows of a scored pool whose gradients together represent the pool's mean gradient best.

    Formula: with g_i the gradient of the last layer, rows are picked one after the other by |⟨r, e_i⟩|, where e_i is
    the unit vector along the residual of g_i after projection on the picked rows, and r the residual of the pool's mean
    gradient.
    Cost: B forward passes a step, counted as samples scored, and O(b² B) for the choice; no state. Biased.
    Source: F. Hong et al., *Diversified Batch Selection for Training Acceleration*, ICML 2024,
    https://arxiv.org/abs/2406.04872, whose code draws each row in proportion to |⟨r, e_i⟩|; reported there: 94.65
    against 92.06 % for a uniform subset on CIFAR-10 with 10 % of the data. There scoring overlaps with data loading;
    here it is on the clock.

    Args:
        pool: Size of a pool in batches, at least 1.

    Raises:
        UsageError: If `pool` is not a positive whole number.

    Example:
        >>> DivBS(pool=5).signals
        ('residuals', 'features')
    """

    name = "divbs"
    uses_training_losses = False
    pool: Pool = 3
    signals = ("residuals", "features")

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """Pick rows greedily."""
        products = last_layer_products(candidates.residuals, candidates.features)
        toward = tf.linalg.matvec(products, tf.cast(candidates.valid, tf.float32))
        rows = orthogonal(products, toward, candidates.valid, context.batch_size)
        return take_rows(rows, candidates.valid)
