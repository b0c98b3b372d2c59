"""Classes of the data: their number, and that of each sample."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_size
from batchsel.errors import UsageError
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


def class_keys(context: Context, name: str) -> tf.Tensor:
    """Return a number for each sample that is equal for samples of the same class.

    Args:
        context: The run.
        name: Name of the selector, for errors.

    Returns:
        ``[n]``: the labels as they are, or the columns of the largest value of one-hot rows.

    Raises:
        UsageError: If the labels are not one array of classes in memory.

    Example:
        >>> from batchsel.testing.fixtures import example_context
        >>> one_hot = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> class_keys(example_context(n=3, labels=one_hot), "mine").numpy().tolist()
        [0, 1, 0]
    """
    labels = context.labels
    if labels is None or isinstance(labels, dict | list | tuple):
        raise UsageError(f"{name}: there are no labels to sort by; they must be one array in memory.")
    labels = tf.reshape(labels, [context.n, -1])
    if static_size(labels, 1) > 1 and labels.dtype.is_integer:
        raise UsageError(
            f"{name}: each sample has several whole numbers as its target, and no class to sort by. Pass classes"
            " as one number or as one-hot floats; for a language model use stratified(by='loss')."
        )
    return labels[:, 0] if labels.shape[1] == 1 else tf.argmax(labels, axis=1)
