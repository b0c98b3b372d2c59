"""Number of classes of the data."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.static_shapes import static_size
from batchsel.selectors.types import Context


def number_of_classes(context: Context) -> tf.Tensor | None:
    """Return the number of classes that the labels tell of, at least 2; None without labels in one array.

    Args:
        context: The run.

    Returns:
        ``float64[]``: the length of one-hot rows, or the highest class number plus one.

    Example:
        >>> from batchsel.testing.fixtures import example_context
        >>> float(number_of_classes(example_context(n=3, labels=tf.constant([0, 2, 1]))))
        3.0
    """
    if context.labels is None or isinstance(context.labels, dict | list | tuple):
        return None
    labels = tf.reshape(context.labels, [context.n, -1])
    columns = static_size(labels, 1)
    if columns > 1:
        return tf.constant(float(columns), tf.float64)
    return tf.maximum(tf.cast(tf.reduce_max(labels), tf.float64) + 1, 2)
