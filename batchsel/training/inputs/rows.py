"""The rows of a batch that a step trains on: all of them, or those that do not only fill it up."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.selectors import SampleStats
from batchsel.training.inputs.batch import Batch, gather_rows


class Rows:
    """All rows of a batch.

    Args:
        padded: Whether some of them may only fill up the batch.
    """

    def __init__(self, padded: bool = False) -> None:
        self.padded = padded

    def take(self, batch: Batch) -> Batch:
        """Return the batch of these rows.

        Args:
            batch: A whole batch.
        """
        return batch

    def pick(self, values: Any, batch: Batch) -> Any:
        """Return the values of these rows.

        Args:
            values: ``[b, ...]``, or a nest of these.
            batch: The whole batch.
        """
        return values

    def scatter(self, values: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Return values of these rows in the places that they have in the whole batch.

        Args:
            values: ``[k, ...]`` values of these rows.
            batch: The whole batch.

        Returns:
            ``[b, ...]``; rows that only fill up the batch repeat the first row, so that writing them changes nothing.
        """
        return _fill(values, batch.valid) if self.padded else values

    def scatter_stats(self, stats: SampleStats, batch: Batch) -> SampleStats:
        """Return statistics of these rows as statistics of the whole batch, without gradients.

        Args:
            stats: Statistics of these rows.
            batch: The whole batch.
        """
        given = {name: value for name, value in stats._asdict().items() if value is not None and name != "valid"}
        spread = {name: self.scatter(tf.stop_gradient(value), batch) for name, value in given.items()}
        return stats._replace(valid=batch.valid, **spread)


class RealRows(Rows):
    """The rows of a short batch that do not only fill it up.

    Args:
        batch_size: b.
        count: Their number, if it is always the same; None for any, which XLA cannot compile.

    Example:
        >>> x = tf.constant([[1.0], [2.0], [3.0]])
        >>> batch = Batch(tf.constant([7, 8, 7]), tf.constant([1.0, 1.0, 0.0]), x, x)
        >>> RealRows(3, 2).take(batch).x.numpy().tolist()
        [[1.0], [2.0]]
        >>> RealRows(3, 2).scatter(tf.constant([0.5, 0.25]), batch).numpy().tolist()
        [0.5, 0.25, 0.5]
    """

    def __init__(self, batch_size: int, count: int | None) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._count = count

    def take(self, batch: Batch) -> Batch:
        """Return the batch of these rows."""
        places = self._places(batch)
        parts = gather_rows(batch._replace(mixture=None), places)
        if batch.mixture is None:
            return parts
        # Partners are real rows, and refer to places in the whole batch.
        new = tf.scatter_nd(places[:, None], tf.range(tf.shape(places)[0]), [self._batch_size])
        partners = tf.gather(new, tf.gather(batch.mixture.partners, places))
        return parts._replace(mixture=batch.mixture._replace(partners=partners))

    def pick(self, values: Any, batch: Batch) -> Any:
        """Return the values of these rows."""
        return gather_rows(values, self._places(batch))

    def scatter(self, values: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Return values of these rows in the places that they have in the whole batch."""
        shape = [self._batch_size, *values.shape[1:]]
        return _fill(tf.scatter_nd(self._places(batch)[:, None], values, shape), batch.valid)

    def _places(self, batch: Batch) -> tf.Tensor:
        """Return ``int32[k]`` places of the rows in the batch, in their order."""
        count = self._count
        if count is None:
            count = tf.maximum(tf.math.count_nonzero(batch.valid, dtype=tf.int32), 1)
        order = tf.argsort(-tf.cast(batch.valid, tf.float32), stable=True)
        return order[:count]


def _fill(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Repeat the first row in rows that only fill up the batch."""
    mask = tf.reshape(valid, [-1] + [1] * (values.shape.rank - 1))
    return tf.where(mask, values, values[:1])


ALL_ROWS = Rows()
PADDED_ROWS = Rows(padded=True)
