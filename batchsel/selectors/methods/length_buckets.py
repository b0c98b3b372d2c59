"""Batches of sequences of similar length, so that little padding is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import keras
import tensorflow as tf

from batchsel.core.parameters import Between
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.errors import UserError
from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class LengthBuckets(Selector):
    """Shuffled batches of sequences of similar length.

    Formula: a shuffled pass is cut into pools of pool · b samples; within each, samples are sorted by their length
    without padding, ties in random order, and cut into batches; the batches of the whole pass are shuffled.
    Each sample is trained on exactly once a pass. It saves time if padding is cut (`cut_padding`).
    Cost: O(n length + n log n) a pass, no extra forward pass. Within a batch lengths are similar, so batches differ
    more than random ones; smaller pools are closer to random batches.
    Source: V. Khomenko, O. Shyshkov, O. Radyvonenko and K. Bokhan, *Accelerating Recurrent Neural Network Training
    Using Sequence Bucketing and Multi-GPU Data Parallelization*, DSMP 2016, https://arxiv.org/abs/1708.05604

    Args:
        pool: Batches sorted together, at least 1, which is plain shuffling.

    Raises:
        UsageError: If `pool` is not a positive whole number.

    Example:
        >>> LengthBuckets(pool=20)
        length_buckets(pool=20)
    """

    name = "length_buckets"
    requires_nonnegative_losses = False
    uses_training_losses = False
    needs_inputs = True
    pool: Annotated[int, Between(1, 2**20)] = 50

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass."""
        return -(-n // batch_size)

    def short_batch(self, n: int, batch_size: int) -> int:
        """Return the rows of the only batch of a pass that may not be full."""
        return n % batch_size

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass with samples of similar length together."""
        inputs = _find_sequences(context.inputs)
        n, b = context.n, context.batch_size
        steps = self.steps_per_plan(n, b)
        order = context.rng.permutation(n, "length_buckets")
        lengths = tf.gather(sequence_lengths(inputs), order)
        # Pool after pool, in each the longest last; batches are cut from this at multiples of b.
        pools = tf.range(n) // min(self.pool * b, n)
        places = tf.argsort(pools * (tf.reduce_max(lengths) + 1) + lengths, stable=True)
        plan = padded_plan(tf.gather(order, places), tf.constant(n), b)
        batches = context.rng.permutation(steps, "length_buckets/batches")
        indices, weights = (
            tf.reshape(tf.gather(tf.reshape(part, [steps, b]), batches), [-1]) for part in (plan.indices, plan.weights)
        )
        return Plan(indices, weights, plan.steps)


def sequence_lengths(x: tf.Tensor) -> tf.Tensor:
    """Return the lengths of sequences without their padding.

    Args:
        x: ``[n, length, ...]``, padded with zeros (False for masks) at the end; or at the start, if no sequence ends in
            a zero and some begin with one.

    Returns:
        ``int32[n]``.

    Example:
        >>> sequence_lengths(tf.constant([[5, 7, 0], [3, 0, 0], [0, 0, 0]])).numpy().tolist()
        [2, 1, 0]
        >>> sequence_lengths(tf.constant([[0, 5, 7], [0, 0, 3], [1, 2, 3]])).numpy().tolist()
        [2, 1, 3]
    """
    real = tf.reduce_any(x != tf.zeros([], x.dtype), axis=list(range(2, x.shape.rank)))
    length = static_size(x, 1)
    from_start = tf.reduce_max(tf.where(real, tf.range(1, length + 1), 0), axis=1)
    from_end = tf.reduce_max(tf.where(real, length - tf.range(length), 0), axis=1)
    empty = from_start == 0
    at_start = tf.reduce_all(real[:, -1] | empty) & tf.reduce_any(tf.logical_not(real[:, 0] | empty))
    return tf.where(at_start, from_end, from_start)


def _find_sequences(inputs: Any) -> tf.Tensor:
    """Return the mask among several inputs, or else the only one of sequences of whole numbers."""
    named = [(path, leaf) for path, leaf in keras.tree.flatten_with_path(inputs) if leaf is not None]
    sequences = [(path, leaf) for path, leaf in named if leaf.shape.rank is not None and leaf.shape.rank >= 2]
    masks = [leaf for path, leaf in sequences if path and "mask" in str(path[-1]).lower()]
    whole = [leaf for path, leaf in sequences if leaf.dtype.is_integer or leaf.dtype.is_bool]
    for found in (masks, whole, [leaf for path, leaf in sequences]):
        if len(found) == 1 and found[0].dtype != tf.string:
            return found[0]
    raise UserError(
        "length_buckets needs the sequences in memory: one array [n, length, ...] padded with zeros, or several inputs"
        " of which one is a mask by name, such as 'padding_mask', or only one holds whole numbers."
    )
