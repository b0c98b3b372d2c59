"""A score by the distance to the decision boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class Boundary(Score):
    """Closeness of a sample to the decision boundary: 1 on it, 0 at the largest distance; unseen samples come first.

    Formula: the distance d_i is the standard deviation of the predicted class probabilities, positive where the
    prediction is correct and negative where it is wrong. The score is 1 − |d_i| / max |d|; on the side "hard" (1 − d_i
    / max |d|) / 2, on the side "easy" (1 + d_i / max |d|) / 2.
    Cost: one float a sample, O(n) for each plan, no extra forward pass. Needs class labels.
    Source: H. Song et al., *Ada-Boundary: Accelerating DNN Training via Adaptive Boundary Batch Selection*, Machine
    Learning 109 (2020), https://doi.org/10.1007/s10994-020-05903-6

    Args:
        side: "near", "hard" or "easy".

    Raises:
        UsageError: If `side` is none of these.

    Example:
        >>> Boundary().signals
        ('boundary_distance',)
    """

    name = "boundary"
    side: Literal["near", "hard", "easy"] = "near"
    signals = ("boundary_distance",)

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[n]``: distances, infinite for unseen samples."""
        return tf.fill([n], float("inf"))

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Record the distances of the samples just trained on."""
        return scatter_update(state, stats.indices, stats.boundary_distance)

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the closeness, infinite for unseen samples."""
        known = tf.math.is_finite(state)
        distance = tf.where(known, state, 0.0)
        largest = tf.reduce_max(tf.abs(distance))
        distance /= tf.where(largest > 0, largest, 1.0)
        closeness = {"near": 1 - tf.abs(distance), "hard": (1 - distance) / 2, "easy": (1 + distance) / 2}[self.side]
        return tf.where(known, closeness, float("inf"))
