"""Orthogonal greedy batches: each row adds the longest new direction."""

from __future__ import annotations

from dataclasses import dataclass

from batchsel.selectors.base import State
from batchsel.selectors.ops.greedy import last_layer_products, orthogonal
from batchsel.selectors.pooled import Pooled, taken_rows
from batchsel.selectors.types import Context, SampleStats, Selection


@dataclass(frozen=True, repr=False)
class GREAT(Pooled):
    """Takes from a scored pool the rows whose gradients are long and point in different directions.

    Formula: with g_i the gradient of the last layer, the row with the longest rest of g_i is next, when the projection
    on the rows before is taken away.
    Cost: B forward passes a step, counted as samples scored, and O(b² B) for the choice; no state. Biased toward hard
    and toward odd samples.
    Source: the selector "GREAT" as Training-Batch-Selection (Human Augment Analytics Group) describes it; its code runs
    another one.

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
    pool: int = 3
    signals = ("residuals", "features")

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """The rows picked greedily."""
        products = last_layer_products(candidates.residuals, candidates.features)
        return taken_rows(orthogonal(products, None, candidates.valid, context.batch_size), candidates.valid)
