"""Several batches for one update: their gradients are summed up, weighed by their samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.schedules import AccumulationSchedule


class Accumulation:
    """Holds the sums of gradients between updates.

    The gradient of an update is the mean over all samples of its batches, whatever the sizes of these. An update stands
    where its first batch does: that says how many batches it has, and at what rate it is applied, as one large batch
    would.

    Args:
        growth: How many batches make an update at a moment.
        variables: The trainable variables.

    Example:
        >>> accumulation = Accumulation(AccumulationSchedule(2), [tf.Variable([0.0])])
        >>> for gradient, count in ((1.0, 3.0), (5.0, 1.0)):
        ...     accumulation.add([tf.constant([gradient])], tf.constant(count), Timestamp.from_progress(0.0))
        >>> bool(accumulation.due()), accumulation.take()[0].numpy().tolist()
        (True, [2.0])
    """

    def __init__(self, growth: AccumulationSchedule, variables: Sequence[Any]) -> None:
        self._growth = growth
        self._sums = [tf.Variable(tf.zeros(variable.shape), trainable=False) for variable in variables]
        self._samples = tf.Variable(0.0, trainable=False)
        self._batches = tf.Variable(0, trainable=False)
        self._first = [tf.Variable(0.0, trainable=False) for _ in Timestamp._fields]
        self._missing: list[bool] = []

    @property
    def variables(self) -> list[tf.Variable]:
        """What is remembered between batches."""
        return [*self._sums, self._samples, self._batches, *self._first]

    @property
    def timestamp(self) -> Timestamp:
        """Where the first batch of the update stands, or stood if the next has not begun."""
        return Timestamp(*(variable.read_value() for variable in self._first))

    def add(self, gradients: Sequence[Any], samples: tf.Tensor, timestamp: Timestamp) -> None:
        """Adds the gradients of a batch.

        Args:
            gradients: Of its mean loss; None for variables that it does not depend on.
            samples: ``float32[]`` how many samples it has.
            timestamp: Where the run stands.
        """
        begins = self._batches.read_value() == 0
        for variable, now in zip(self._first, timestamp, strict=True):
            variable.assign(tf.where(begins, now, variable.read_value()))
        self._missing = [gradient is None for gradient in gradients]
        for known, gradient in zip(self._sums, gradients, strict=True):
            if gradient is not None:
                known.assign_add(samples * tf.cast(tf.convert_to_tensor(gradient), tf.float32))
        self._samples.assign_add(samples)
        self._batches.assign_add(1)

    def due(self) -> tf.Tensor:
        """``bool[]`` whether there are enough batches for an update."""
        return self._batches.read_value() >= self._growth.batches(self.timestamp)

    def take(self) -> list[tf.Tensor | None]:
        """The mean gradients, which are forgotten; None where there never was one, so that no optimizer decays it."""
        means = [known / tf.maximum(self._samples, 1.0) for known in self._sums]
        with tf.control_dependencies(means):
            self._forget()
        return [None if missing else mean for missing, mean in zip(self._missing, means, strict=True)]

    def clear(self) -> None:
        """Forgets everything, to begin anew."""
        self._forget()
        for variable in self._first:
            variable.assign(0.0)

    def _forget(self) -> None:
        for variable in (*self._sums, self._samples, self._batches):
            variable.assign(tf.zeros_like(variable))

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """What is worth recording of a moment.

        Args:
            timestamp: Where the run stands.
        """
        return {"batches of an update": tf.cast(self._growth.batches(timestamp), tf.float32)}
