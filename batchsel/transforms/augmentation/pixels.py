"""What augmentations of images share: blending, pixels taken from elsewhere.

8-bit images are worked on in integers, so that they come out the same in eager, graph and XLA mode.
"""

from __future__ import annotations

import tensorflow as tf

ONE = 1 << 12
"""Shares and factors are whole numbers of 1 / ONE."""
_RED, _GREEN, _BLUE = 19595, 38470, 7471
"""Weights of the luma of ITU-R BT.601, times 2^16."""


def blend(first: tf.Tensor, second: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """A mean weighed by shares, rounded where the numbers are integers; shares above 1 go beyond the first.

    Args:
        first: ``[...]``, ``int32`` levels or floating point.
        second: Of the same type.
        shares: ``int32``, the share of the first in units of 1 / `ONE`.

    Example:
        >>> blend(tf.constant([10]), tf.constant([20]), tf.constant(ONE // 4)).numpy().tolist()
        [18]
    """
    if first.dtype.is_integer:
        total = shares * first + (ONE - shares) * second + ONE // 2
        return tf.bitwise.right_shift(total, tf.constant(ONE.bit_length() - 1))
    shares = tf.cast(shares, first.dtype) / ONE
    return shares * first + (1 - shares) * second


def gray(values: tf.Tensor) -> tf.Tensor:
    """The luma of colors.

    Args:
        values: ``[b, h, w, 3]``, ``int32`` levels or floating point; other numbers of channels stay as they are.

    Returns:
        ``[b, h, w, 1]``.
    """
    if values.shape[-1] != 3:
        return values
    red, green, blue = tf.split(values, 3, axis=-1)
    if not values.dtype.is_integer:
        return _RED / 2**16 * red + _GREEN / 2**16 * green + _BLUE / 2**16 * blue
    return tf.bitwise.right_shift(_RED * red + _GREEN * green + _BLUE * blue + (1 << 15), tf.constant(16))


def mean_gray(values: tf.Tensor) -> tf.Tensor:
    """The mean luma of each image, rounded where the numbers are integers.

    Args:
        values: ``[b, h, w, c]``, as for `gray`.

    Returns:
        ``[b, 1, 1, 1]``.
    """
    luma = gray(values)
    if not values.dtype.is_integer:
        return tf.reduce_mean(luma, axis=[1, 2, 3], keepdims=True)
    total, count = tf.reduce_sum(luma, axis=[1, 2, 3], keepdims=True), luma.shape[1:].num_elements()
    return (2 * total + count) // (2 * count)


def taken(x: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Images made of the pixels of others; 0 where there is none.

    Args:
        x: ``[b, h, w, c]``.
        rows: ``int32``, broadcast to ``[b, h, w]``: where each pixel is taken from.
        columns: Likewise.

    Returns:
        ``[b, h, w, c]``.

    Example:
        >>> x = tf.reshape(tf.range(4), [1, 2, 2, 1])
        >>> taken(x, tf.constant([[[0], [1]]]), tf.constant([[[1, 2]]]))[0, :, :, 0].numpy().tolist()
        [[1, 0], [3, 0]]
    """
    batch, height, width, channels = x.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = tf.clip_by_value(rows, 0, height - 1) * width + tf.clip_by_value(columns, 0, width - 1)
    flat = tf.reshape(x, [batch, height * width, channels])
    found = tf.gather(flat, tf.reshape(places, [batch, height * width]), batch_dims=1)
    return tf.where(inside[..., None], tf.reshape(found, x.shape), tf.zeros([], x.dtype))


def within(x: tf.Tensor, top: tf.Tensor, left: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Which pixels lie in a rectangle.

    Args:
        x: ``[b, h, w, c]``.
        top: ``int32[b]`` or ``int32[]``, its first row.
        left: Its first column.
        height: Its rows.
        width: Its columns.

    Returns:
        ``bool[b, h, w, 1]``, or with 1 in place of b where there is one rectangle for all.
    """
    top, left, height, width = (tf.reshape(side, [-1, 1, 1, 1]) for side in (top, left, height, width))
    rows, columns = tf.range(x.shape[1])[None, :, None, None], tf.range(x.shape[2])[None, None, :, None]
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
