"""Pixel operations of image augmentations: blending, luma, resampling, rectangles.

8-bit images are processed in integers, so that results are bit-equal in eager, graph and XLA mode.
"""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_shape

ONE = 1 << 12
"""Shares and factors are multiples of 1 / ONE."""
_RED, _GREEN, _BLUE = 19595, 38470, 7471
"""Weights of the luma of ITU-R BT.601, times 2^16."""


def blend(first: tf.Tensor, second: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Return a weighted mean, rounded if the numbers are integers; shares above 1 extrapolate beyond the first.

    Args:
        first: ``[...]``, ``int32`` levels or floating point.
        second: Likewise.
        shares: ``int32`` weights of the first in units of 1 / `ONE`.

    Example:
        >>> blend(tf.constant([10]), tf.constant([20]), tf.constant(ONE // 4)).numpy().tolist()
        [18]
    """
    if first.dtype.is_integer:
        total = shares * first + (ONE - shares) * second + ONE // 2
        return tf.bitwise.right_shift(total, tf.constant(ONE.bit_length() - 1))
    shares = tf.cast(shares, first.dtype) / ONE
    return shares * first + (1 - shares) * second


def luma(values: tf.Tensor) -> tf.Tensor:
    """Return the luma of color images; images that do not have 3 channels are returned unchanged.

    Args:
        values: ``[b, h, w, c]``, ``int32`` levels or floating point.

    Returns:
        ``[b, h, w, 1]``.
    """
    if values.shape[-1] != 3:
        return values
    red, green, blue = tf.split(values, 3, axis=-1)
    if not values.dtype.is_integer:
        return _RED / 2**16 * red + _GREEN / 2**16 * green + _BLUE / 2**16 * blue
    return tf.bitwise.right_shift(_RED * red + _GREEN * green + _BLUE * blue + (1 << 15), tf.constant(16))


def mean_luma(values: tf.Tensor) -> tf.Tensor:
    """Return the mean luma of each image, rounded if the numbers are integers.

    Args:
        values: ``[b, h, w, c]``, as for `luma`.

    Returns:
        ``[b, 1, 1, 1]``.
    """
    levels = luma(values)
    if not values.dtype.is_integer:
        return tf.reduce_mean(levels, axis=[1, 2, 3], keepdims=True)
    total, count = tf.reduce_sum(levels, axis=[1, 2, 3], keepdims=True), levels.shape[1:].num_elements()
    return (2 * total + count) // (2 * count)


def gather_pixels(x: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Resample images at integer positions; positions outside yield 0.

    Args:
        x: ``[b, h, w, c]``.
        rows: ``int32``, broadcast to ``[b, h, w]``: the source row of each pixel.
        columns: The source column, likewise.

    Returns:
        ``[b, h, w, c]``.

    Example:
        >>> x = tf.reshape(tf.range(4), [1, 2, 2, 1])
        >>> gather_pixels(x, tf.constant([[[0], [1]]]), tf.constant([[[1, 2]]]))[0, :, :, 0].numpy().tolist()
        [[1, 0], [3, 0]]
    """
    batch, height, width, channels = static_shape(x)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = tf.clip_by_value(rows, 0, height - 1) * width + tf.clip_by_value(columns, 0, width - 1)
    flat = tf.reshape(x, [batch, height * width, channels])
    found = tf.gather(flat, tf.reshape(places, [batch, height * width]), batch_dims=1)
    return tf.where(inside[:, :, :, None], tf.reshape(found, x.shape), tf.zeros([], x.dtype))


def in_rectangle(x: tf.Tensor, top: tf.Tensor, left: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Return a mask of the pixels in a rectangle.

    Args:
        x: ``[b, h, w, c]``.
        top: ``int32[b]`` or ``int32[]``, the first row.
        left: The first column.
        height: The number of rows.
        width: The number of columns.

    Returns:
        ``bool[b, h, w, 1]``, or with 1 in place of b if there is one rectangle for all images.
    """
    top, left, height, width = (tf.reshape(side, [-1, 1, 1, 1]) for side in (top, left, height, width))
    rows, columns = tf.range(x.shape[1])[None, :, None, None], tf.range(x.shape[2])[None, None, :, None]
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
