"""Random parts of images, enlarged to their size."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import tensorflow as tf

from batchsel.core.parameters import Between, PositiveShare
from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_shape
from batchsel.errors import UsageError
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.augmentation.pixels import gather_pixels
from batchsel.transforms.augmentation.rectangles import MIDDLES, draw_rectangles, size_table
from batchsel.transforms.input_checks import require_images, require_numeric

_PARTS = 1 << 10
"""Parts of a pixel: positions in integers make 8-bit images bit-equal in eager, graph and XLA mode."""


@dataclass(frozen=True, repr=False)
class ResizedCrop(Augmentation):
    """Random part of each image, enlarged to the size of the whole ("random resized crop").

    Formula: area S ~ U(smallest, largest) · h w and log of the aspect r ~ U(log aspect, −log aspect), so that the part
    is √(S / r) high and √(S r) wide; drawn again until it fits into the image, then placed in it uniformly, and
    enlarged by bilinear interpolation within the part. Areas and aspects are drawn from the middles of 64 equal parts.
    Source: C. Szegedy and others, *Going Deeper with Convolutions*, CVPR 2015, https://arxiv.org/abs/1409.4842,
    section 6: areas of 8 to 100 % and aspects of 3/4 to 4/3, for ImageNet. Small images bear less: smallest=0.5.

    Args:
        smallest: Smallest area as a share of the image, in (0, 1].
        largest: Largest area, likewise.
        aspect: Smallest width over height, in (0, 1].

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> ResizedCrop(0.5)(tf.ones([3, 8, 8, 1], tf.uint8), Rng(0, 0)).shape.as_list()
        [3, 8, 8, 1]
    """

    name = "resized_crop"
    smallest: PositiveShare = 0.08
    largest: PositiveShare = 1.0
    aspect: Annotated[float, Between(1e-3, 1)] = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smallest > self.largest:
            raise UsageError(
                f"resized_crop: smallest must not be above largest, got {self.smallest} and {self.largest}."
            )

    def __call__(self, x: tf.Tensor, rng: Rng) -> tf.Tensor:
        """Return the enlarged parts."""
        x = require_numeric(self, require_images(self, x))
        _, height, width, _ = static_shape(x)
        sizes = part_sizes(height, width, self.smallest, self.largest, self.aspect)
        top, left, rows, columns = draw_rectangles(self, x, sizes, rng, "part")
        down, across = _positions(top, rows, height), _positions(left, columns, width)
        values = tf.cast(x, tf.int32) if x.dtype == tf.uint8 else x
        upper, lower = (_interpolate_rows(values, down[0] + below, across) for below in (0, 1))
        found = _mix(upper, lower, down[1][:, :, None, None])
        if not found.dtype.is_integer:
            return found
        return tf.cast((found + _PARTS * _PARTS // 2) // (_PARTS * _PARTS), x.dtype)


@functools.cache
def part_sizes(height: int, width: int, smallest: float, largest: float, aspect: float) -> np.ndarray:
    """Return the sizes of parts that fit into an image, all equally likely.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        smallest: Smallest area as a share of the image.
        largest: Largest area, likewise.
        aspect: Smallest width over height.

    Returns:
        ``int32[k, 2]``, rows and columns.

    Example:
        >>> part_sizes(10, 10, 0.25, 0.25, 1.0)[0].tolist()
        [5, 5]
    """
    aspects = np.exp(math.log(aspect) * (1 - 2 * MIDDLES))
    sizes = size_table(height, width, smallest, largest, (1 / aspects, aspects))
    return sizes[(sizes[:, 0] <= height) & (sizes[:, 1] <= width)]


def _positions(first: tf.Tensor, count: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where pixels of a side come from.

    Args:
        first: ``int32[b]`` first row or column of the part.
        count: ``int32[b]`` number of them.
        size: Number of pixels of the side.

    Returns:
        ``int32[b, size]`` row or column before the position, and the share of the next one in parts of `_PARTS`.
    """
    count = tf.cast(count, tf.int64)[:, None]
    middles = (2 * tf.range(size, dtype=tf.int64)[None] + 1) * count * _PARTS // (2 * size) - _PARTS // 2
    # Before the first middle and behind the last one the edge of the part continues.
    places = tf.clip_by_value(middles, tf.zeros([], tf.int64), (count - 1) * _PARTS)
    return first[:, None] + tf.cast(places // _PARTS, tf.int32), tf.cast(tf.math.floormod(places, _PARTS), tf.int32)


def _interpolate_rows(values: tf.Tensor, rows: tf.Tensor, across: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    columns, shares = across
    left, right = (gather_pixels(values, rows[:, :, None], (columns + more)[:, None, :]) for more in (0, 1))
    return _mix(left, right, shares[:, None, :, None])


def _mix(first: tf.Tensor, second: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Return the weighted mean; that of integers times `_PARTS`, without rounding."""
    if first.dtype.is_integer:
        return (_PARTS - shares) * first + shares * second
    shares = tf.cast(shares, first.dtype) / _PARTS
    return (1 - shares) * first + shares * second
