"""Tuples of samples and batches, which the parts of the loop pass to each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from batchsel.transforms.augmentation import Mixture


class Samples(NamedTuple):
    """Inputs, targets and weights with the same first axis: a whole data set, a block of it, or the rows of a batch."""

    x: Any
    """Inputs: an array, or a nest of arrays."""
    y: Any
    """Targets, likewise."""
    sample_weight: Any = None
    """Factors of the loss, likewise, or None."""


class Batch(NamedTuple):
    """A batch, or a pool from which one is chosen. Shapes use b for the size of either."""

    indices: tf.Tensor
    """``int32[b]`` sample numbers."""
    weights: tf.Tensor
    """``float32[b]`` factors of the loss in the plan; 0 for rows that only fill up the batch, after the real ones."""
    x: Any
    """``[b, ...]`` inputs."""
    y: Any
    """``[b, ...]`` targets."""
    sample_weight: Any = None
    """``[b, ...]`` factors of the loss that came with the data, or None."""
    mixture: Mixture | None = None
    """The two samples that each row is mixed of, or None. The loss of a row is then the mean of the losses for both
    targets, with the weight of the row itself; metrics compare with the target of the larger share."""

    @property
    def valid(self) -> tf.Tensor:
        """``bool[b]``, false for rows that only fill up the batch."""
        return self.weights != 0


def gather_rows(rows: Any, indices: tf.Tensor) -> Any:
    """Gather rows from every array of a nest.

    Args:
        rows: Arrays with the same first axis, or None in place of any.
        indices: ``int32[k]``.

    Example:
        >>> gather_rows((tf.constant([5, 6, 7]), None), tf.constant([2, 0]))[0].numpy().tolist()
        [7, 5]
    """
    return tf.nest.map_structure(lambda leaf: None if leaf is None else tf.gather(leaf, indices), rows)


def take_rows(leaf: Any, rows: np.ndarray) -> Any:
    """Return rows of an array or a tensor, where it lies.

    Args:
        leaf: The array or tensor.
        rows: ``int[k]`` their numbers.

    Example:
        >>> take_rows(np.array([5, 6, 7]), np.array([2, 0])).tolist()
        [7, 5]
    """
    return tf.gather(leaf, rows) if isinstance(leaf, tf.Tensor) else leaf[rows]


def to_tensors(x: Any, y: Any, sample_weight: Any = None) -> Samples:
    """Copy data to the device.

    Args:
        x: Inputs: an array, or a nest of arrays with the same first axis.
        y: Targets, likewise.
        sample_weight: Weights, likewise, or None.

    Returns:
        The same as tensors; float64 becomes float32, as in Keras, or what `keras.config.set_floatx` set.

    Example:
        >>> to_tensors(np.zeros([2, 3]), np.zeros([2], "int64")).x.dtype.name
        'float32'
    """
    parts = (x, y, sample_weight)
    return Samples(*(None if part is None else tf.nest.map_structure(_to_tensor, part) for part in parts))


def _to_tensor(array: Any) -> tf.Tensor:
    """Return a tensor; numbers are of the type that Keras computes with, unless they are of a smaller one."""
    floatx = tf.as_dtype(keras.config.floatx())
    if isinstance(array, tf.Tensor):
        return tf.cast(array, floatx) if _is_cast(array.dtype, floatx) else array
    array = np.asarray(array)
    if array.dtype == np.float64:
        array = array.astype(floatx.as_numpy_dtype)
    tensor = tf.constant(array)
    return tf.cast(tensor, floatx) if _is_cast(tensor.dtype, floatx) else tensor


def _is_cast(dtype: tf.DType, floatx: tf.DType) -> bool:
    return dtype.is_floating and dtype != floatx and (floatx != tf.float32 or dtype == tf.float64)


def signature_of(samples: Samples) -> Any:
    """Return structure, types and shapes of a sample, on which a trace depends.

    Args:
        samples: Arrays.
    """
    leaves = [None if leaf is None else (str(leaf.dtype), tuple(leaf.shape[1:])) for leaf in tf.nest.flatten(samples)]
    return leaves, str(tf.nest.map_structure(lambda leaf: 0, samples))


def as_keras_data(samples: Samples) -> Any:
    """Return samples in the form in which `model.fit` passes them to `train_step`.

    Args:
        samples: Inputs; targets or None; weights or None.

    Returns:
        Inputs alone, in a tuple if they are several in a list; or ``(x, y)``; or ``(x, y, sample_weight)``, with the
        same weights for each of several targets.

    Example:
        >>> as_keras_data(Samples(1, 2)), as_keras_data(Samples(1, {"a": 2, "b": 3}, 4))
        ((1, 2), (1, {'a': 2, 'b': 3}, {'a': 4, 'b': 4}))
        >>> as_keras_data(Samples(1, None)), as_keras_data(Samples([1, 2], None))
        (1, ([1, 2],))
    """
    x, y, weight = samples
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    if weight is None:
        return x, y
    if tf.nest.is_nested(y) and not tf.nest.is_nested(weight):
        weight = tf.nest.map_structure(lambda _: weight, y)
    return x, y, weight
