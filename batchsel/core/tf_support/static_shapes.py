"""Static shapes of tensors: sizes that are known when a function is traced."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def static_size(tensor: tf.Tensor, axis: int = 0) -> int:
    """Return the size of an axis, which must be static.

    Raises:
        ValueError: If it is not.

    Example:
        >>> import numpy as np
        >>> static_size(np.zeros([3, 2]), axis=1)
        2
    """
    size = tensor.shape[axis]
    if size is None:
        raise ValueError(f"axis {axis} of {tensor} must have a static size. Set it with tf.ensure_shape.")
    return size


def static_shape(tensor: tf.Tensor) -> tuple[int, ...]:
    """Return the shape of a tensor, which must be static.

    Raises:
        ValueError: If it is not.

    Example:
        >>> import numpy as np
        >>> static_shape(np.zeros([3, 2]))
        (3, 2)
    """
    return tuple(static_size(tensor, axis) for axis in range(len(tensor.shape)))
