"""Batches that cover their pool: k-center greedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tensorflow as tf

from batchsel.core.parameters import Between, Pool
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.selectors.base import State
from batchsel.selectors.ops.greedy import farthest
from batchsel.selectors.pooled import Pooled, take_rows
from batchsel.selectors.types import Context, SampleStats, Selection


@dataclass(frozen=True, repr=False)
class KCentre(Pooled):
    """Rows of a pool that lie far from each other, so that no row of the pool is far from all of them.

    Formula: first the most central row, then always the row that is farthest from its nearest picked row. Distances are
    those of the inputs, of their first `dimensions` principal components within the pool, or of the inputs of the last
    layer.
    Cost: B forward passes a step, counted as samples scored (even if the distances are those of inputs), and O(b B) for
    the choice; no state. Biased toward the boundary of the data.
    Source: the selector "CORSET" of Training-Batch-Selection (Human Augment Analytics Group); k-center as in O. Sener
    and S. Savarese, *Active Learning for Convolutional Neural Networks: A Core-Set Approach*, ICLR 2018,
    https://arxiv.org/abs/1708.00489

    Args:
        pool: Size of a pool in batches, at least 1.
        on: "features", "inputs" or "pca".
        dimensions: Principal components, at least 1.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> KCentre(on="pca").signals
        ('inputs',)
    """

    name = "k_centre"
    uses_training_losses = False
    pool: Pool = 3
    on: Literal["features", "inputs", "pca"] = "features"
    dimensions: Annotated[int, Between(1, 4096)] = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "signals", ("features",) if self.on == "features" else ("inputs",))

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """Pick rows greedily."""
        points = candidates.features if self.on == "features" else candidates.inputs
        # Padding rows are moved to the center, where they affect no component.
        real = tf.cast(candidates.valid, points.dtype)[:, None]
        points = real * (points - tf.reduce_sum(real * points, axis=0) / tf.maximum(tf.reduce_sum(real), 1))
        products = tf.matmul(points, points, transpose_b=True)
        if self.on == "pca":
            # The components' coordinates are the largest eigenvectors of the products, times the roots of their values.
            values, vectors = tf.linalg.eigh(products)
            first = min(self.dimensions, static_size(products))
            points = vectors[:, -first:] * tf.sqrt(tf.maximum(values[-first:], 0.0))
            products = tf.matmul(points, points, transpose_b=True)
        return take_rows(farthest(products, candidates.valid, context.batch_size), candidates.valid)
