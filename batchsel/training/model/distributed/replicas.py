"""The replicas of a model on the devices of a host, and the shares of a batch that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_size
from batchsel.training.inputs.batch import Samples

_exchanging = ContextVar("exchanging", default=True)


@contextmanager
def leave_out_sums() -> Iterator[None]:
    """Let replicas that are traced within the block keep their own gradients: what is saved is what sums cost.

    Only for measuring: the replicas go apart.
    """
    token = _exchanging.set(False)
    try:
        yield
    finally:
        _exchanging.reset(token)


class Replicas:
    """Copies of a model, one on each device of a `tf.distribute.MirroredStrategy`.

    Args:
        strategy: The strategy.
    """

    def __init__(self, strategy: tf.distribute.MirroredStrategy) -> None:
        self.strategy: Any = strategy
        self.count = int(self.strategy.num_replicas_in_sync)
        self.devices: tuple[str, ...] = tuple(self.strategy.extended.worker_devices)
        self._sums = _exchanging.get()  # replicas are traced in threads of their own

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context in which variables are made on all devices, and functions of replicas are run."""
        return self.strategy.scope()

    def run(self, function: Callable[[int], Any]) -> Any:
        """Run a function on each replica, and return a nest of tuples with a result of each.

        Args:
            function: Returns a nest of tensors, given the number of the replica; traced once for each.
        """
        found = self.strategy.run(lambda: function(_own_number()))
        return tf.nest.map_structure(self.strategy.experimental_local_results, found)

    def run_apart(self, function: Callable[[int], Any]) -> list[Any]:
        """Run a function on each replica, and return a list of what each returned.

        Args:
            function: As for `run`.
        """
        found = self.strategy.run(lambda: function(_own_number()))
        leaves = [self.strategy.experimental_local_results(leaf) for leaf in tf.nest.flatten(found)]
        return [tf.nest.pack_sequence_as(found, each) for each in zip(*leaves, strict=True)]

    def sum_all(self, values: list[Any]) -> list[Any]:
        """Return the sums of tensors over all replicas, in the context of one.

        The devices add some of the tensors each, always in the same order, so that a run can be repeated to the bit.
        TensorFlow's own sums (`tf.distribute.CollectiveAllReduce`) wait forever if two devices begin with different
        ones, and mistake those of several strategies in one process for each other.

        Args:
            values: Tensors or `tf.IndexedSlices` of this replica.
        """
        if not self._sums:
            return values
        return self.meet(self.add, values)

    def meet(self, function: Callable[..., Any], *values: Any) -> Any:
        """Let the replicas wait for each other, and return what a function of the values of all of them returns.

        Args:
            function: Called outside of the replicas, once, with those of all in place of each of `values`.
            *values: Nests of values of this replica.
        """
        context: Any = tf.distribute.get_replica_context()
        return context.merge_call(lambda strategy, *found: function(*found), args=values)

    def copy(self, samples: Samples) -> tuple[Samples, ...]:
        """Return a copy of samples on each device.

        Args:
            samples: Tensors.
        """
        return tuple(self._copy(samples, device) for device in self.devices)

    def rows_each(self, size: int) -> int:
        """Return the rows of a share, the same for all replicas.

        Args:
            size: Rows of the batch.
        """
        return -(-size // self.count)

    def places(self, size: int) -> list[np.ndarray]:
        """Return the places in a batch of the rows of each share; the first row fills up what is left over.

        Args:
            size: Rows of the batch.

        Example:
            >>> [places.tolist() for places in Replicas(tf.distribute.MirroredStrategy(["CPU:0"])).places(3)]
            [[0, 1, 2]]
        """
        rows = np.arange(self.rows_each(size) * self.count, dtype=np.int32)
        return np.split(np.where(rows < size, rows, 0), self.count)

    def reality(self, size: int) -> list[np.ndarray]:
        """Return ``float32[k]`` for each share: 1 for rows of the batch, 0 for those that fill up the share.

        Args:
            size: Rows of the batch.
        """
        rows = np.arange(self.rows_each(size) * self.count)
        return np.split((rows < size).astype(np.float32), self.count)

    def split(self, values: tf.Tensor, fill: float | None = None) -> list[tf.Tensor]:
        """Return the share of each replica in the rows of a batch.

        Args:
            values: ``[b, ...]``.
            fill: Value in rows that fill up the last shares; None to repeat the first row.
        """
        size = static_size(values, 0)
        with tf.device(self.devices[0]):
            missing = self.rows_each(size) * self.count - size
            if missing:
                more = values[:1] if fill is None else tf.fill(tf.shape(values[:1]), tf.cast(fill, values.dtype))
                values = tf.concat([values, tf.repeat(more, missing, axis=0)], axis=0)
            return tf.split(values, self.count)

    def join(self, shares: tuple[tf.Tensor, ...], size: int) -> tf.Tensor:
        """Return the rows of a batch from the shares of the replicas.

        Args:
            shares: A tensor of each.
            size: Rows of the batch.
        """
        with tf.device(self.devices[0]):
            return tf.concat(shares, axis=0)[:size]

    def add(self, values: list[Any]) -> list[Any]:
        """Return the sums of tensors over all replicas, outside of them.

        Args:
            values: Values that have one of each replica.
        """
        sums = []
        for number, value in enumerate(values):
            with tf.device(self.devices[number % self.count]):
                sums.append(_add(self.strategy.experimental_local_results(value)))
        return sums

    def _copy(self, samples: Samples, device: str) -> Samples:
        with tf.device(device):
            return tf.nest.map_structure(lambda leaf: None if leaf is None else tf.identity(leaf), samples)


def get_replicas(model: keras.Model) -> Replicas | None:
    """Return the replicas of a model that was built under a `tf.distribute.MirroredStrategy`, or None.

    Args:
        model: A Keras model.

    Example:
        >>> get_replicas(keras.Sequential()) is None
        True
    """
    strategy = getattr(model, "distribute_strategy", None)
    return Replicas(strategy) if isinstance(strategy, tf.distribute.MirroredStrategy) else None


def _add(values: Any) -> Any:
    """Add tensors, or slices of them."""
    if not isinstance(values[0], tf.IndexedSlices):
        return tf.add_n(values)
    rows, places = ([getattr(value, name) for value in values] for name in ("values", "indices"))
    return tf.IndexedSlices(tf.concat(rows, axis=0), tf.concat(places, axis=0), values[0].dense_shape)


def _own_number() -> int:
    """Return the number of the replica under way, which is known while its function is traced."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    return int(tf.get_static_value(number) if isinstance(number, tf.Tensor) else number)
