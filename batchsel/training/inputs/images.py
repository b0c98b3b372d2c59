"""Smaller images, on which scoring is cheaper."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def are_images(x: Any) -> bool:
    """Return whether inputs are a batch of images, ``[b, height, width, channels]``."""
    return isinstance(x, tf.Tensor) and x.shape.rank == 4


def shrink(x: tf.Tensor, factor: int) -> tf.Tensor:
    """Return images of a smaller size: means over squares, at the edges over what is there.

    Args:
        x: ``[b, height, width, channels]``.
        factor: Side of a square in pixels; 1 changes nothing.

    Example:
        >>> shrink(tf.constant([[[[1.0], [3.0], [7.0]]]]), 2)[0, 0, :, 0].numpy().tolist()
        [2.0, 7.0]
    """
    if factor == 1:
        return x
    small = tf.nn.avg_pool2d(tf.cast(x, tf.float32), factor, factor, "SAME")
    return small if x.dtype.is_floating else tf.cast(tf.round(small), x.dtype)
