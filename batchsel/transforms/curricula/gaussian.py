"""Gaussian blur as two matrix products, one along the rows of an image and one along its columns.

The matrices include the reflection at the edges, so that a kernel may be wider than the image. On a CPU, and for images
of tens of pixels, this is faster than depth-wise convolutions, which are slow under XLA, or shifts and adds as a graph;
and as fast for wide kernels as for narrow ones.

8-bit images are blurred in integers below 2^24, which float32 represents exactly: sums are bit-equal in any order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_shape

UNITS = 1 << 12
"""Weights for 8-bit images are multiples of 1 / UNITS. With 8 bits of a level and 4 fractional bits: 24 bits."""
_FRACTION = 1 << 4


def weights(sigma: float, radius: int) -> np.ndarray:
    """Return the right half of a truncated, then normalized Gaussian kernel.

    Args:
        sigma: Standard deviation in pixels, at least 0.
        radius: Pixels on either side of the center.

    Returns:
        ``float64[radius + 1]`` from the center outwards; the full kernel sums to one.

    Example:
        >>> weights(1.0, 1).round(3).tolist()
        [0.452, 0.274]
    """
    distances = np.arange(radius + 1)
    half = np.exp(-0.5 * (distances / sigma) ** 2) if sigma > 0 else np.where(distances == 0, 1.0, 0.0)
    return half / (half[0] + 2 * half[1:].sum())


def quantize(half: np.ndarray) -> np.ndarray:
    """Return weights in multiples of 1 / `UNITS` that sum to exactly one.

    Sums from the edge inwards are rounded, not single weights, so that the errors of neighbors cancel.

    Args:
        half: Half a kernel, as from `weights`.

    Returns:
        ``float64[radius + 1]``.

    Example:
        >>> quantize(weights(1.0, 1)).tolist()
        [1850.0, 1123.0]
    """
    beyond = np.round(UNITS * half[:0:-1].cumsum()[::-1])
    outer = beyond - np.append(beyond[1:], 0)[: len(beyond)]
    return np.concatenate([[UNITS - 2 * outer.sum()], outer])


def fold(half: np.ndarray, side: int) -> np.ndarray:
    """Return the weight of each distance in an image that is extended by its mirror images, with period 2 · side.

    Args:
        half: Half a kernel, as from `weights`.
        side: Pixels of the image along this axis.

    Returns:
        ``float64[2 * side]``.

    Example:
        >>> fold(np.array([0.5, 0.25]), 1).tolist()
        [0.5, 0.5]
    """
    folded = np.zeros(2 * side)
    distances = np.arange(1 - len(half), len(half))
    np.add.at(folded, distances % (2 * side), half[np.abs(distances)])
    return folded


def blur(x: tf.Tensor, sigmas: Sequence[float], level: tf.Tensor, radius: int) -> tf.Tensor:
    """Blur images; beyond the edges they continue as their mirror images, edge pixels repeated.

    Args:
        x: ``[b, h, w, c]`` of uint8 or floating point, of static shape.
        sigmas: Standard deviations in pixels.
        level: ``int32[]``, position in `sigmas`.
        radius: Radius of the kernel.

    Returns:
        Images of the same type and shape.

    Example:
        >>> x = tf.constant([[0, 0, 90, 0, 0]], tf.uint8)[..., None, None]
        >>> blur(x, [1.0], tf.constant(0), 1)[0, :, 0, 0].numpy().tolist()
        [0, 25, 41, 25, 0]
    """
    integral = x.dtype == tf.uint8
    values = tf.cast(x, tf.float64 if x.dtype == tf.float64 else tf.float32)
    halves = [weights(sigma, radius) for sigma in sigmas]
    halves = [quantize(half) for half in halves] if integral else halves
    batch, height, width, channels = static_shape(x)
    down = _matrix(halves, level, height, values.dtype)
    across = _matrix(halves, level, width, values.dtype)
    values = tf.matmul(down, tf.reshape(values, [batch, height, width * channels]))
    if integral:
        values = tf.floor(values * (_FRACTION / UNITS) + 0.5)
    lines = tf.transpose(tf.reshape(values, [batch * height, width, channels]), [0, 2, 1])
    lines = tf.matmul(tf.reshape(lines, [-1, width]), across)
    values = tf.transpose(tf.reshape(lines, [batch * height, channels, width]), [0, 2, 1])
    if integral:
        values = tf.floor(values / (_FRACTION * UNITS) + 0.5)
    return tf.cast(tf.reshape(values, x.shape), x.dtype)


def _matrix(halves: Sequence[np.ndarray], level: tf.Tensor, side: int, dtype: tf.DType) -> tf.Tensor:
    """Return the symmetric ``[side, side]`` weights of pixels in blurred pixels, including their mirror images."""
    table = tf.constant(np.stack([fold(half, side) for half in halves]), dtype)
    row = tf.gather(table, level)
    places = np.arange(side)
    direct, mirrored = (places - places[:, None]) % (2 * side), places + places[:, None] + 1
    return tf.gather(row, direct) + tf.gather(row, mirrored)
