"""GREAT, orthogonal greedy batches: each row adds the longest new direction."""

from __future__ import annotations

from dataclasses import dataclass

from batchsel.core.parameters import Pool
from batchsel.selectors.base import State
from batchsel.selectors.ops.greedy import last_layer_products, orthogonal
from batchsel.selectors.pooled import Pooled, take_rows
from batchsel.selectors.types import Context, SampleStats, Selection


@dataclass(frozen=True, repr=False)
class GREAT(Pooled):
    """The rows of a scored pool whose gradients are long and point in different directions.

    Formula: with g_i the gradient of the last layer, the next row is the one with the longest residual of g_i after
    projection on the rows picked before.
    Cost: B forward passes a step, counted as samples scored, and O(b² B) for the choice; no state. Biased toward hard
    samples and outliers.
    Source: the selector "GREAT" as Training-Batch-Selection (Human Augment Analytics Group) describes it; its code
    implements another one.

    Args:
        pool: Size of a pool in batches, at least 1.

    Raises:
        UsageError: If `pool` is not a positive whole number.

    Example:
        >>> GREAT()
        great(pool=3)
    """

    name = "great"
    uses_training_losses = False
    pool: Pool = 3
    signals = ("residuals", "features")

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """Pick rows greedily."""
        products = last_layer_products(candidates.residuals, candidates.features)
        return take_rows(orthogonal(products, None, candidates.valid, context.batch_size), candidates.valid)
