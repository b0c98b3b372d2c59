"""Shares of a batch: what each of several devices receives of it, in as few bytes as that takes."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_size
from batchsel.training.inputs.batch import Batch
from batchsel.training.model.distributed.replicas import Replicas


class SentRows(NamedTuple):
    """Rows of a batch as devices receive them: 4 bytes for each, and 4 more if the plan weighs samples.

    Example:
        >>> sent = SentRows.pack(tf.constant([7, 5, 7]), tf.constant([1.0, 1.0, 0.0]))
        >>> [part.numpy().tolist() for part in sent]
        [[7, 5, -8], []]
        >>> [part.numpy().tolist() for part in sent.unpack()]
        [[7, 5, 7], [1.0, 1.0, 0.0]]
    """

    signed: tf.Tensor
    """``int32[k]`` places of the rows in the data, -1 - place for rows that only fill up the batch."""
    weights: tf.Tensor
    """``float32[k]`` their weights, or ``float32[0]`` if those of all real rows are 1."""

    @classmethod
    def pack(cls, places: tf.Tensor, weights: tf.Tensor, leaves_out_ones: bool = True) -> SentRows:
        """Return rows as they are sent.

        Args:
            places: ``int32[k]``.
            weights: ``float32[k]``, 0 for rows that only fill up the batch.
            leaves_out_ones: False to keep weights of 1, so that shapes do not depend on them.
        """
        valid = weights != 0
        if leaves_out_ones:
            weighted = tf.reduce_any(valid & (weights != 1))
            weights = weights[: tf.where(weighted, static_size(weights), 0)]
        return cls(tf.where(valid, places, -1 - places), weights)

    def unpack(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return ``int32[k]`` places, and ``float32[k]`` weights."""
        size, valid = static_size(self.signed), self.signed >= 0
        weights = tf.concat([self.weights, tf.ones([size - tf.size(self.weights)])], axis=0)
        weights = tf.where(valid, tf.ensure_shape(weights, [size]), 0.0)
        return tf.where(valid, self.signed, -1 - self.signed), weights


class MappedRows(NamedTuple):
    """Inputs of a batch that the replicas have made of theirs."""

    places: tf.Tensor
    """``int32[b]`` places of the rows in the data."""
    shares: list[Any]
    """The inputs of the share of each replica, with those of rows that fill it up."""


class Shares(NamedTuple):
    """A batch and the share of it that each replica takes."""

    whole: Batch
    """The batch; its inputs are as `ReplicaTrainStep` takes them."""
    rows: list[SentRows] | None = None
    """The rows of each share; None if the batch has them with it, or each replica receives all of them."""
    all_rows: SentRows | None = None
    """All rows, if each replica receives them."""


def get_places(batch: Batch) -> tf.Tensor:
    """Return ``int32[b]`` the places of the rows of a batch in the data.

    Args:
        batch: A batch without its rows.
    """
    return batch.x.places if isinstance(batch.x, MappedRows) else batch.x


def divide(replicas: Replicas, batch: Batch, padded: bool, whole: bool = False) -> Shares:
    """Divide a batch among replicas.

    Args:
        replicas: The replicas.
        batch: The batch.
        padded: Whether some of its rows, or of the shares, may only fill it up.
        whole: Whether each replica needs all of the rows.
    """
    if batch.y is not None:
        return Shares(batch)
    pack = partial(SentRows.pack, leaves_out_ones=replicas.count > 1)  # nothing is sent to the only device
    with tf.device(replicas.devices[0]):
        if whole:
            return Shares(batch, all_rows=pack(get_places(batch), batch.weights))
        places, weights = get_places(batch), replicas.split(batch.weights, 0.0)
        rows = replicas.split(_fill(replicas, places, batch.valid) if padded else places)
        return Shares(batch, list(map(pack, rows, weights)))


def _fill(replicas: Replicas, places: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Fill up the shares of a batch with its real rows in turn, so that all shares have statistics like theirs."""
    size = static_size(places)
    rows = tf.range(replicas.rows_each(size) * replicas.count)
    real = tf.maximum(tf.math.count_nonzero(valid, dtype=tf.int32), 1)
    order = tf.argsort(-tf.cast(valid, tf.float32), stable=True)
    others = tf.gather(order, tf.math.floormod(rows, real))
    keeps = tf.pad(valid, [[0, rows.shape[0] - size]])
    return tf.gather(places, tf.where(keeps, rows, others))
