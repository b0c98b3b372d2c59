"""Several batches for one update: their gradients are summed up, weighed by their samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from batchsel.moment import Moment
from batchsel.schedules import Growth


class Accumulation:
    """Holds the sums of gradients between updates.

    The gradient of an update is the mean over all samples of its batches, whatever the sizes of these.

    Args:
        growth: How many batches make an update at a moment.
        variables: The trainable variables.

    Example:
        >>> accumulation = Accumulation(Growth(2), [tf.Variable([0.0])])
        >>> for gradient, count in ((1.0, 3.0), (5.0, 1.0)):
        ...     accumulation.add([tf.constant([gradient])], tf.constant(count))
        >>> bool(accumulation.due(Moment.of(0.0))), accumulation.take()[0].numpy().tolist()
        (True, [2.0])
    """

    def __init__(self, growth: Growth, variables: Sequence[Any]) -> None:
        self._growth = growth
        self._sums = [tf.Variable(tf.zeros(variable.shape), trainable=False) for variable in variables]
        self._samples = tf.Variable(0.0, trainable=False)
        self._batches = tf.Variable(0, trainable=False)

    @property
    def variables(self) -> list[tf.Variable]:
        """What is remembered between batches."""
        return [*self._sums, self._samples, self._batches]

    def add(self, gradients: Sequence[Any], samples: tf.Tensor) -> None:
        """Adds the gradients of a batch.

        Args:
            gradients: Of its mean loss; None for variables that it does not depend on.
            samples: ``float32[]`` how many samples it has.
        """
        for known, gradient in zip(self._sums, gradients, strict=True):
            if gradient is not None:
                known.assign_add(samples * tf.cast(tf.convert_to_tensor(gradient), tf.float32))
        self._samples.assign_add(samples)
        self._batches.assign_add(1)

    def due(self, moment: Moment) -> tf.Tensor:
        """``bool[]`` whether there are enough batches for an update.

        Args:
            moment: Where the run stands.
        """
        return self._batches.read_value() >= self._growth.batches(moment)

    def take(self) -> list[tf.Tensor]:
        """The mean gradients, which are forgotten."""
        means = [known / tf.maximum(self._samples, 1.0) for known in self._sums]
        with tf.control_dependencies(means):
            self.clear()
        return means

    def clear(self) -> None:
        """Forgets what was summed up."""
        for variable in self.variables:
            variable.assign(tf.zeros_like(variable))

    def shown(self, moment: Moment) -> dict[str, tf.Tensor]:
        """What is worth recording of a moment.

        Args:
            moment: Where the run stands.
        """
        return {"batches of an update": tf.cast(self._growth.batches(moment), tf.float32)}
