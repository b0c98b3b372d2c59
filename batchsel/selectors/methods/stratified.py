"""Stratified batches: the same share of every class, or of every range of losses, in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.classes import class_keys
from batchsel.selectors.ops.sampling import deal_into_batches
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Stratified(Selector):
    """A shuffled pass whose batches all have the same mixture of classes, or of easy and hard samples.

    Formula: the samples are sorted by class (or by last known loss), in random order within a class, and dealt to the
    batches like cards. Each sample is trained on exactly once a pass; the count of a class in two batches differs
    by at most one. Batches differ in size by one if b does not divide n.
    Cost: O(n log n) a pass, no state, no extra forward pass. Unbiased over a pass.
    Source: P. Zhao and T. Zhang, *Accelerating Minibatch Stochastic Gradient Descent using Stratified Sampling*, 2014,
    https://arxiv.org/abs/1405.3080

    Args:
        by: "class", the labels (numbers, or one-hot rows), or "loss".

    Raises:
        UsageError: If `by` is neither, or there are no labels to sort by.

    Example:
        >>> Stratified(by="loss")
        stratified(by='loss')
    """

    name = "stratified"
    by: Literal["class", "loss"] = "class"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "requires_nonnegative_losses", self.by == "loss")
        object.__setattr__(self, "uses_training_losses", self.by == "loss")

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass."""
        return -(-n // batch_size)

    def short_batch(self, n: int, batch_size: int) -> int | None:
        """Return the rows of the batches with one row less, unless there are none."""
        steps = self.steps_per_plan(n, batch_size)
        if -(-n // steps) < batch_size:
            return None  # no batch is full, and there are batches of two sizes
        return n // steps if n % steps else 0

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass, dealt to batches."""
        n, b = context.n, context.batch_size
        steps = self.steps_per_plan(n, b)
        order = context.rng.permutation(n, "stratified")
        places = tf.argsort(tf.gather(self._keys(context), order), stable=True)
        rows = tf.gather(order, places)
        if self.by == "loss":
            # In a stratum of one row per batch, the hardest row must not always go to the last batch.
            mixed = context.rng.permutation(n, "stratified/strata")
            rows = tf.gather(rows, tf.gather(mixed, tf.argsort(mixed // steps, stable=True)))
        # The batches with one row less are drawn at random: padding rows are dealt last, and the batches rotated.
        spare = steps * b - n
        filled = tf.concat([rows, tf.gather(rows, tf.range(spare) % n)], axis=0)
        real = tf.concat([tf.ones([n]), tf.zeros([spare])], axis=0)
        shift = context.rng.integer_below(tf.constant(steps, tf.int64), "stratified/turn")
        return Plan(
            _rotate(deal_into_batches(filled, steps), steps, shift),
            _rotate(deal_into_batches(real, steps), steps, shift),
            tf.constant(steps),
        )

    def _keys(self, context: Context) -> tf.Tensor:
        return context.losses if self.by == "loss" else class_keys(context, self.name)


def _rotate(rows: tf.Tensor, steps: int, shift: tf.Tensor) -> tf.Tensor:
    """Rotate the order of the batches."""
    order = (tf.range(steps) + tf.cast(shift, tf.int32)) % steps
    return tf.reshape(tf.gather(tf.reshape(rows, [steps, -1]), order), [-1])
