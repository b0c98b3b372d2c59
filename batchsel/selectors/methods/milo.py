"""MILO: submodular batches, from typical to diverse."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Pool, Share
from batchsel.selectors.base import State
from batchsel.selectors.ops.greedy import farthest, graph_cut
from batchsel.selectors.pooled import Pooled, take_rows
from batchsel.selectors.types import Context, SampleStats, Selection


@dataclass(frozen=True, repr=False)
class MILO(Pooled):
    """Typical rows of each pool at first, and rows that differ from each other later.

    Formula: with s_ij the cosine of the inputs of the last layer, mapped to [0, 1]: up to progress `switch` rows are
    picked greedily by the graph cut Σ_j s_ij − 2 λ Σ_(j picked) s_ij with λ = 0.4; from then on each is the row
    farthest from its nearest picked row (disparity-min).
    Cost: B forward passes a step, counted as samples scored, and O(b B) for the choice; no state. Biased.
    Source: K. Killamsetty et al., *MILO: Model-Agnostic Subset Selection Framework for Efficient Model Training and
    Tuning*, NeurIPS 2023, https://arxiv.org/abs/2301.13287. A port of its functions and of their order: there they
    choose from the whole data set before training, by features of a pretrained model, and the later subsets are drawn
    at random by the gains of the greedy choice; here no row is drawn at random.

    Args:
        pool: Size of a pool in batches, at least 1.
        switch: Progress from which rows are diverse, in [0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> MILO()
        milo(pool=3, switch=0.17)
    """

    name = "milo"
    uses_training_losses = False
    pool: Pool = 3
    switch: Share = 0.17
    signals = ("features",)

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """Pick rows greedily."""
        points = tf.math.l2_normalize(candidates.features, axis=1)
        products, valid, b = tf.matmul(points, points, transpose_b=True), candidates.valid, context.batch_size
        rows = tf.cond(
            context.progress < self.switch,
            lambda: graph_cut((products + 1) / 2, valid, b, redundancy=0.4),
            lambda: farthest(products, valid, b),
        )
        return take_rows(rows, valid)
