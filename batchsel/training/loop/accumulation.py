"""Gradient accumulation: several batches for one update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.schedules import AccumulationSchedule


class GradientAccumulator:
    """Sums of gradients between updates, weighted by samples.

    The gradient of an update is the mean over all samples of its batches, whatever their sizes. The timestamp of
    an update is that of its first batch: it sets the number of batches and the learning rate, as for one large batch.

    Args:
        schedule: The number of batches of an update.
        variables: The trainable variables.

    Example:
        >>> accumulator = GradientAccumulator(AccumulationSchedule(start=2), [tf.Variable([0.0])])
        >>> for gradient, count in ((1.0, 3.0), (5.0, 1.0)):
        ...     accumulator.add([tf.constant([gradient])], tf.constant(count), Timestamp.from_progress(0.0))
        >>> bool(accumulator.due()), accumulator.take()[0].numpy().tolist()
        (True, [2.0])
    """

    def __init__(self, schedule: AccumulationSchedule, variables: Sequence[Any]) -> None:
        self._schedule = schedule
        self._sums = [tf.Variable(tf.zeros(variable.shape), trainable=False) for variable in variables]
        self._samples = tf.Variable(tf.zeros([]), trainable=False)
        self._batches = tf.Variable(tf.constant(0), trainable=False)
        self._first = [tf.Variable(tf.zeros([]), trainable=False) for _ in Timestamp._fields]
        self._missing: list[bool] = []

    @property
    def variables(self) -> list[tf.Variable]:
        """All variables, which checkpoints hold."""
        return [*self._sums, self._samples, self._batches, *self._first]

    @property
    def timestamp(self) -> Timestamp:
        """Timestamp of the first batch of the update; of the last update if the next has not begun."""
        return Timestamp(*(variable.read_value() for variable in self._first))

    def add(self, gradients: Sequence[Any], samples: tf.Tensor, timestamp: Timestamp) -> None:
        """Add the gradients of a batch.

        Args:
            gradients: Gradients of its mean loss; None for variables on which it does not depend.
            samples: ``float32[]`` samples of the batch.
            timestamp: Time of the batch.
        """
        begins = self._batches.read_value() == 0
        for variable, now in zip(self._first, timestamp, strict=True):
            variable.assign(tf.where(begins, now, variable.read_value()))
        self._missing = [gradient is None for gradient in gradients]
        for total, gradient in zip(self._sums, gradients, strict=True):
            if gradient is not None:
                total.assign_add(samples * tf.cast(tf.convert_to_tensor(gradient), tf.float32))
        self._samples.assign_add(samples)
        self._batches.assign_add(1)

    def update_if_due(self, update: Callable[[list[tf.Tensor | None], Timestamp], None], last: tf.Tensor) -> None:
        """Apply the mean gradients if there are enough batches, or no more follow.

        Args:
            update: Applies gradients, given the timestamp of the update.
            last: ``bool[]`` whether the budget ends with this batch.
        """

        def apply() -> tf.Tensor:
            update(self.take(), self.timestamp)
            return tf.constant(True)

        tf.cond(self.due() | last, apply, lambda: tf.constant(False))

    def due(self) -> tf.Tensor:
        """Return ``bool[]``, whether there are enough batches for an update."""
        return self._batches.read_value() >= self._schedule.batches(self.timestamp)

    def take(self) -> list[tf.Tensor | None]:
        """Return the mean gradients, None for variables without gradients, and clear the sums.

        A zero in place of None would let optimizers decay the variable.
        """
        means = [total / tf.maximum(self._samples, 1.0) for total in self._sums]
        with tf.control_dependencies(means):
            self._clear_sums()
        return [None if missing else mean for missing, mean in zip(self._missing, means, strict=True)]

    def clear(self) -> None:
        """Clear everything."""
        self._clear_sums()
        for variable in self._first:
            variable.assign(0.0)

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the values for the schedule log: ``float32[]`` by name.

        Args:
            timestamp: Time of the update.
        """
        return {"batches of an update": tf.cast(self._schedule.batches(timestamp), tf.float32)}

    def _clear_sums(self) -> None:
        for variable in (*self._sums, self._samples, self._batches):
            variable.assign(tf.zeros_like(variable))
