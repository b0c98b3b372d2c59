"""A shuffled pass with scores as weights."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.selectors.ops.ranking import mean_of_finite
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.pipe import Draw
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Reweigh(Draw):
    """A draw of every sample once a pass, with its score as the weight of its loss.

    Formula: a shuffled pass with w_i = s_i / mean(s); samples of infinite score (unseen ones) have weight 1, and
    so have all samples if no score is positive. A sample of score 0 keeps a weight of 10⁻⁶.
    Cost: O(n) a pass.
    Source: the weighting form of H.-S. Chang, E. Learned-Miller and A. McCallum, *Active Bias*, NIPS 2017,
    https://arxiv.org/abs/1704.07433, which divides by the mean over a batch.

    Example:
        >>> from batchsel.selectors import PredictionVariance
        >>> PredictionVariance() | Reweigh()
        prediction_variance(floor=0.02) | reweigh
    """

    name = "reweigh"

    @property
    def plans_weights(self) -> bool:
        """True: scores are weights."""
        return True

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass."""
        return -(-n // batch_size)

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """Plan a shuffled pass with weights."""
        finite = tf.math.is_finite(scores)
        usable = finite & tf.reduce_any(finite & (scores > 0))
        weights = tf.where(usable, tf.maximum(scores / mean_of_finite(scores), 1e-6), tf.ones_like(scores))
        order = context.rng.permutation(context.n, "reweigh")
        return padded_plan(order, tf.constant(context.n), context.batch_size, tf.cast(weights, tf.float32))
