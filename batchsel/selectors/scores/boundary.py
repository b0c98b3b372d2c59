"""A score by the distance to the decision boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import tensorflow as tf

from batchsel.core.parameters import INT32, Between
from batchsel.selectors.ops.classes import number_of_classes
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, SampleStats


@dataclass(frozen=True, repr=False)
class Boundary(Score):
    """Closeness of a sample to the decision boundary: 1 on it, 0 where the model is certain; unseen samples come first.

    Formula: the distance d_i is the standard deviation of the c predicted class probabilities, positive where the
    prediction is correct and negative where it is wrong, and at most d = sqrt(c − 1) / c. The score is 1 − |d_i| / d;
    on the side "hard" (1 − d_i / d) / 2, on the side "easy" (1 + d_i / d) / 2.
    Cost: one float a sample, O(n) for each plan, no extra forward pass. Needs class labels.
    Source: H. Song et al., *Ada-Boundary: Accelerating DNN Training via Adaptive Boundary Batch Selection*, Machine
    Learning 109 (2020), https://doi.org/10.1007/s10994-020-05903-6

    Args:
        side: "near", "hard" or "easy".
        classes: Number of classes, at least 2; None for that of the labels, or for the largest distance seen in place
            of d where data are streamed.

    Raises:
        UsageError: If a parameter is none of these.

    Example:
        >>> Boundary().signals
        ('boundary_distance',)
    """

    name = "boundary"
    side: Literal["near", "hard", "easy"] = "near"
    classes: Annotated[int, Between(2, INT32)] | None = None
    signals = ("boundary_distance",)

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[n]``: distances, infinite for unseen samples."""
        return tf.fill([n], float("inf"))

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Record the distances of the samples just trained on."""
        return scatter_update(state, stats.indices, stats.boundary_distance)

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the closeness, infinite for unseen samples."""
        seen = ~tf.math.is_inf(state)
        distance = tf.where(seen, state, 0.0)
        largest = self._largest(distance, context)
        distance = tf.clip_by_value(distance / tf.where(largest > 0, largest, 1.0), -1, 1)
        closeness = {"near": 1 - tf.abs(distance), "hard": (1 - distance) / 2, "easy": (1 + distance) / 2}[self.side]
        return tf.where(seen, closeness, float("inf"))

    def _largest(self, distance: tf.Tensor, context: Context) -> tf.Tensor:
        if self.classes is not None:
            return tf.constant(math.sqrt(self.classes - 1) / self.classes, tf.float32)
        classes = number_of_classes(context)
        if classes is None:
            return tf.reduce_max(tf.abs(tf.where(tf.math.is_nan(distance), 0.0, distance)))
        return tf.cast(tf.sqrt(classes - 1) / classes, tf.float32)
