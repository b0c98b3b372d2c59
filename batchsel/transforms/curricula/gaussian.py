"""Gaussian blur as two products of matrices, one along the rows of a picture and one along its columns.

The matrices hold what reflects at the edges, so that a kernel may be wider than the picture. On a CPU, and for pictures
of tens of pixels, this is faster than depth-wise convolutions, which XLA is slow at, or shifts and adds as a graph; and
as fast for wide kernels as for narrow ones.

8-bit images are blurred in whole numbers below 2^24, which float32 holds exactly: in whatever order they are added, the
sums are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

UNITS = 1 << 12
"""Weights for 8-bit images are whole numbers of 1 / UNITS. With 8 bits of a level and 4 behind the point: 24 bits."""
_BEHIND = 1 << 4


def weights(sigma: float, radius: int) -> np.ndarray:
    """The right half of a Gaussian kernel that is cut off and then normalized.

    Args:
        sigma: Standard deviation in pixels, at least 0.
        radius: Pixels on either side of the middle.

    Returns:
        ``float64[radius + 1]`` from the middle outwards; the whole kernel sums to one.

    Example:
        >>> weights(1.0, 1).round(3).tolist()
        [0.452, 0.274]
    """
    distances = np.arange(radius + 1)
    half = np.exp(-0.5 * (distances / sigma) ** 2) if sigma > 0 else np.where(distances == 0, 1.0, 0.0)
    return half / (half[0] + 2 * half[1:].sum())


def in_units(half: np.ndarray) -> np.ndarray:
    """Weights in whole numbers of 1 / `UNITS` that sum to exactly one.

    Sums from the rim inwards are rounded, and not weights, so that the errors of neighbors cancel.

    Args:
        half: As from `weights`.

    Returns:
        ``float64[radius + 1]``.

    Example:
        >>> in_units(weights(1.0, 1)).tolist()
        [1850.0, 1123.0]
    """
    beyond = np.round(UNITS * half[:0:-1].cumsum()[::-1])
    outer = beyond - np.append(beyond[1:], 0)[: len(beyond)]
    return np.concatenate([[UNITS - 2 * outer.sum()], outer])


def folded(half: np.ndarray, side: int) -> np.ndarray:
    """The weight of each distance in a picture that is continued by its mirror images, with period 2 · side.

    Args:
        half: As from `weights`.
        side: Pixels of the picture along this axis.

    Returns:
        ``float64[2 * side]``.

    Example:
        >>> folded(np.array([0.5, 0.25]), 1).tolist()
        [0.5, 0.5]
    """
    found = np.zeros(2 * side)
    distances = np.arange(1 - len(half), len(half))
    np.add.at(found, distances % (2 * side), half[np.abs(distances)])
    return found


def blurred(x: tf.Tensor, sigmas: Sequence[float], level: tf.Tensor, radius: int) -> tf.Tensor:
    """Blurs images; at the edges they continue as their mirror images, edge pixels repeated.

    Args:
        x: ``[b, h, w, c]`` of uint8 or floating point, of static shape.
        sigmas: Standard deviations in pixels.
        level: ``int32[]``, which of them.
        radius: Of the kernel.

    Returns:
        Images of the same type and shape.

    Example:
        >>> x = tf.constant([[0, 0, 90, 0, 0]], tf.uint8)[..., None, None]
        >>> blurred(x, [1.0], tf.constant(0), 1)[0, :, 0, 0].numpy().tolist()
        [0, 25, 41, 25, 0]
    """
    whole = x.dtype == tf.uint8
    values = tf.cast(x, tf.float64 if x.dtype == tf.float64 else tf.float32)
    halves = [weights(sigma, radius) for sigma in sigmas]
    halves = [in_units(half) for half in halves] if whole else halves
    batch, height, width, channels = x.shape
    down = _matrix(halves, level, height, values.dtype)
    across = _matrix(halves, level, width, values.dtype)
    values = tf.matmul(down, tf.reshape(values, [batch, height, width * channels]))
    if whole:
        values = tf.floor(values * (_BEHIND / UNITS) + 0.5)
    lines = tf.transpose(tf.reshape(values, [batch * height, width, channels]), [0, 2, 1])
    lines = tf.matmul(tf.reshape(lines, [-1, width]), across)
    values = tf.transpose(tf.reshape(lines, [batch * height, channels, width]), [0, 2, 1])
    if whole:
        values = tf.floor(values / (_BEHIND * UNITS) + 0.5)
    return tf.cast(tf.reshape(values, x.shape), x.dtype)


def _matrix(halves: Sequence[np.ndarray], level: tf.Tensor, side: int, dtype: tf.DType) -> tf.Tensor:
    """``[side, side]``, symmetric: the weight of each pixel in each, itself and its mirror images taken together."""
    table = tf.constant(np.stack([folded(half, side) for half in halves]), dtype)
    row = tf.gather(table, level)
    places = np.arange(side)
    itself, mirrored = (places - places[:, None]) % (2 * side), places + places[:, None] + 1
    return tf.gather(row, itself) + tf.gather(row, mirrored)
