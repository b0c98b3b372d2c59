"""Ordered SGD: the mean over the largest losses of each batch."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import PositiveShare
from batchsel.selectors.base import Selector
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.types import Context, Plan, SampleStats

_RULE = ((0.8, 2), (0.9, 4), (0.95, 8), (0.995, 16))
"""Training accuracy, and one over the share of a batch that counts from then on."""


@dataclass(frozen=True, repr=False)
class OrderedSGD(Selector):
    """Plain shuffling with the mean of the q largest losses of each batch in place of the mean of all.

    Formula: the loss of a batch is (1 / q) Σ of its q largest losses; q is b, and b/2, b/4, b/8, b/16 once a pass has
    had a training accuracy of 80, 90, 95, 99.5 %, and never grows again; or it is a fixed share of b.
    Cost: none, but nothing is saved: the whole batch goes forward and backward. Unbiased for the ordered risk, biased
    for the mean.
    Source: K. Kawaguchi and H. Lu, *Ordered SGD: A New Stochastic Optimization Framework for Empirical Risk
    Minimization*, AISTATS 2020, https://arxiv.org/abs/1907.04371; reported there: WRN-28-10 on CIFAR-10 3.06 against
    3.24 % error. The authors measure accuracy by a forward pass over all data after each pass; here it is that of
    the batches as they are trained on, which costs nothing and lags by half a pass. They also halve the learning rate
    with the last step of q, which is left to the schedule here.

    Args:
        share: q / b, in (0, 1]; None for the rule by accuracy.

    Raises:
        UsageError: If `share` lies outside (0, 1].

    Example:
        >>> OrderedSGD(0.5)
        ordered_sgd(share=0.5)
    """

    name = "ordered_sgd"
    share: PositiveShare | None = None
    signals = ("correct",)

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[3]``: samples and correct predictions of this pass, and the highest accuracy of a pass."""
        return tf.zeros([3])

    def update(self, state: tf.Tensor, stats: SampleStats, context: Context) -> tf.Tensor:
        """Count correct predictions."""
        real = tf.cast(stats.valid, tf.float32)
        count, correct = state[0] + tf.reduce_sum(real), state[1] + tf.reduce_sum(real * stats.correct)
        ended = count >= context.n
        kept = tf.where(ended, 0.0, 1.0)
        accuracy = tf.where(ended, correct / tf.maximum(count, 1.0), 0.0)
        return tf.stack([kept * count, kept * correct, tf.maximum(state[2], accuracy)])

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass."""
        return -(-n // batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return the rows of the last batch of a pass, unless it is full."""
        return n % batch_size

    def plan(self, state: tf.Tensor, context: Context) -> Plan:
        """Plan a pass in random order."""
        order = context.rng.permutation(context.n, "ordered_sgd")
        return padded_plan(order, tf.constant(context.n), context.batch_size)

    def loss_weights(self, state: tf.Tensor, losses: tf.Tensor, valid: tf.Tensor, context: Context) -> tf.Tensor:
        """Return count / q for the q largest losses of the batch, 0 for the others."""
        count = tf.cast(tf.math.count_nonzero(valid), tf.float32)
        share = tf.ones([]) if self.share is None else tf.constant(float(self.share))
        if self.share is None:
            for accuracy, divisor in _RULE:
                share = tf.where(state[2] >= accuracy, 1 / divisor, share)
        q = tf.maximum(tf.math.ceil(share * count - 1e-4), 1.0)
        order = tf.argsort(-tf.where(valid, losses, float("-inf")), stable=True)
        ranks = tf.scatter_nd(order[:, None], tf.range(losses.shape[0]), losses.shape)
        return tf.where(tf.cast(ranks, tf.float32) < q, count / q, 0.0)
