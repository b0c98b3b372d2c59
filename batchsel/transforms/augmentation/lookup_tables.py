"""Point operations of 8-bit images as lookup tables that depend on the image, and smoothing; after Pillow."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_shape
from batchsel.transforms.augmentation.pixels import blend, mean_luma


def contrast_tables(levels: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Return tables that move levels away from the mean luma of the image, or toward it.

    Args:
        levels: ``int32[b, h, w, c]``.
        factors: ``int32[b, 1, 1, 1]`` in units of 1 / `pixels.ONE`.

    Returns:
        ``int32[b, 1, 256]``.
    """
    table = blend(tf.range(256)[None, None, None, :], mean_luma(levels), factors)
    return tf.clip_by_value(table[:, 0], 0, 255)


def auto_contrast_tables(levels: tf.Tensor) -> tf.Tensor:
    """Return tables that stretch each channel so that its lowest level becomes 0 and its highest 255.

    Args:
        levels: ``int32[b, h, w, c]``.

    Returns:
        ``int32[b, c, 256]``.
    """
    low = tf.reduce_min(levels, axis=[1, 2])[:, :, None]
    high = tf.reduce_max(levels, axis=[1, 2])[:, :, None]
    span = tf.maximum(high - low, 1)
    stretched = tf.clip_by_value((tf.range(256) - low) * 255 // span, 0, 255)
    return tf.where(high > low, stretched, tf.range(256))


def equalize_tables(levels: tf.Tensor) -> tf.Tensor:
    """Return tables that equalize the histogram of each channel.

    Args:
        levels: ``int32[b, h, w, c]``.

    Returns:
        ``int32[b, c, 256]``.
    """
    batch, height, width, channels = static_shape(levels)
    kinds = batch * channels
    places = tf.reshape(tf.range(kinds), [batch, 1, 1, channels]) * 256 + levels
    counts = tf.math.unsorted_segment_sum(
        tf.ones([height * width * kinds], tf.int32), tf.reshape(places, [-1]), kinds * 256
    )
    counts = tf.reshape(counts, [batch, channels, 256])
    high = tf.reduce_max(levels, axis=[1, 2])[:, :, None]
    last = tf.reduce_sum(tf.where(tf.range(256) == high, counts, 0), axis=-1, keepdims=True)
    step = (height * width - last) // 255
    below = tf.cumsum(counts, axis=-1, exclusive=True)
    tables = tf.minimum((step // 2 + below) // tf.maximum(step, 1), 255)
    return tf.where(step > 0, tables, tf.range(256))


def smooth(levels: tf.Tensor) -> tf.Tensor:
    """Smooth images with the kernel 1 1 1, 1 5 1, 1 1 1, over 13; edge pixels are unchanged.

    Args:
        levels: ``int32[b, h, w, c]``.

    Returns:
        ``int32[b, h, w, c]``.
    """
    _, height, width, _ = static_shape(levels)
    if min(height, width) < 3:
        return levels
    lines = levels[:, :-2] + levels[:, 1:-1] + levels[:, 2:]
    box = lines[:, :, :-2] + lines[:, :, 1:-1] + lines[:, :, 2:]
    inner = (2 * (box + 4 * levels[:, 1:-1, 1:-1]) + 13) // 26
    padded = tf.pad(inner, [[0, 0], [1, 1], [1, 1], [0, 0]])
    rows, columns = tf.range(height)[:, None, None], tf.range(width)[None, :, None]
    edge = (rows == 0) | (rows == height - 1) | (columns == 0) | (columns == width - 1)
    return tf.where(edge, levels, padded)
