"""Random rectangles in images: the sizes that fit, and a size and a place for each image."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_shape
from batchsel.errors import UserError
from batchsel.transforms.augmentation.base import Augmentation

_GRID = 64
MIDDLES = (np.arange(_GRID) + 0.5) / _GRID
"""Middles of equal parts of [0, 1], which stand for a uniform distribution, so that sizes are a short table."""


def size_table(
    height: int, width: int, smallest: float, largest: float, factors: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the heights and widths of rectangles whose areas are evenly spaced, as whole numbers of pixels.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        smallest: Smallest area as a share of the image.
        largest: Largest area, likewise.
        factors: Squares of height and of width over the area, ``[k]`` each: of the shapes, all equally likely.

    Returns:
        ``int32[64 k, 2]``, rows and columns, at least 1; some may not fit into the image.

    Example:
        >>> one = np.ones([1])
        >>> size_table(10, 10, 0.25, 0.25, (one, one))[0].tolist()
        [5, 5]
    """
    areas = (smallest + (largest - smallest) * MIDDLES)[:, None] * height * width
    sides = np.stack([np.sqrt(areas * factor) for factor in factors], axis=-1).reshape(-1, 2)
    return np.maximum(np.round(sides), 1).astype(np.int32)


def draw_rectangles(
    part: Augmentation, x: tf.Tensor, sizes: np.ndarray, rng: Rng, what: str
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Draw a rectangle in each image: one of the sizes, and where it lies, all places equally likely.

    Args:
        part: The augmentation, whose name is that of the random streams.
        x: Images ``[b, h, w, c]``.
        sizes: ``int32[k, 2]`` rows and columns that fit.
        rng: Random numbers.
        what: Name of the rectangle in an error.

    Returns:
        ``int32[b]`` each: first row, first column, rows and columns.

    Raises:
        UserError: If there is no size.
    """
    batch, height, width, _ = static_shape(x)
    if not len(sizes):
        raise UserError(f"{part!r}: no such {what} fits into images of {height} x {width} pixels.")
    drawn = tf.gather(tf.constant(sizes), rng.integers([batch], len(sizes), f"{part.name}/size"))
    rows, columns = tf.unstack(drawn, axis=1)
    top = rng.integers([batch], height - rows + 1, f"{part.name}/top")
    left = rng.integers([batch], width - columns + 1, f"{part.name}/left")
    return top, left, rows, columns
