"""Random erasing: a rectangle of each image is overwritten."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import tensorflow as tf

from batchsel.core.parameters import Between, PositiveShare, Share
from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_shape, static_size
from batchsel.errors import UsageError
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.augmentation.pixels import in_rectangle
from batchsel.transforms.augmentation.rectangles import MIDDLES, draw_rectangles, size_table
from batchsel.transforms.input_checks import require_images


@dataclass(frozen=True, repr=False)
class Erasing(Augmentation):
    """Random rectangle of each image, overwritten with some probability.

    Formula: area S_e ~ U(smallest, largest) · h w and aspect r ~ U(aspect, 1 / aspect), so that the rectangle is
    √(S_e r) high and √(S_e / r) wide; drawn again until it fits into the image, then placed in it uniformly. Areas and
    aspects are drawn from the middles of 64 equal parts each, so that the sizes are a short table.
    Source: Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang, *Random Erasing Data Augmentation*, AAAI 2020,
    https://arxiv.org/abs/1708.04896

    Args:
        chance: The probability, in [0, 1]; the paper uses 0.5.
        smallest: Smallest area as a share of the image, in (0, 1].
        largest: Largest area, likewise.
        aspect: Smallest aspect, in (0, 1].
        fill: New values: "random" numbers (for 8-bit images from 0 to 255, for others from the lowest to the
            highest of the image), "mean" of the image, a number for each channel, or "zero".

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> float(tf.reduce_min(Erasing(1.0, fill="zero")(tf.ones([2, 8, 8, 1]), Rng(0, 0))))
        0.0
    """

    name = "erasing"
    chance: Share = 0.5
    smallest: PositiveShare = 0.02
    largest: PositiveShare = 0.4
    aspect: Annotated[float, Between(1e-3, 1)] = 0.3
    fill: Literal["random", "mean", "zero"] = "random"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smallest > self.largest:
            raise UsageError(f"erasing: smallest must not be above largest, got {self.smallest} and {self.largest}.")

    def __call__(self, x: tf.Tensor, rng: Rng) -> tf.Tensor:
        """Return the images, some of them with a rectangle overwritten."""
        x = require_images(self, x)
        batch, height, width, _ = static_shape(x)
        sizes = fitting_sizes(height, width, self.smallest, self.largest, self.aspect)
        top, left, rows, columns = draw_rectangles(self, x, sizes, rng, "rectangle")
        erased = rng.uniform([batch, 1, 1, 1], "erasing") < self.chance
        return tf.where(erased & in_rectangle(x, top, left, rows, columns), self._fill_values(x, rng), x)

    def _fill_values(self, x: tf.Tensor, rng: Rng) -> tf.Tensor:
        if self.fill == "zero":
            return tf.zeros([], x.dtype)
        if self.fill == "mean":
            wide = tf.cast(x, tf.int64) if x.dtype.is_integer else x
            total = tf.reduce_sum(wide, axis=[1, 2], keepdims=True)
            count = static_size(x, 1) * static_size(x, 2)
            return tf.cast(total // count if x.dtype.is_integer else total / count, x.dtype)
        if x.dtype == tf.uint8:
            words = rng.bits([-(-x.shape.num_elements() // 4)], "erasing/fill")
            return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[: x.shape.num_elements()], x.shape)
        shape = static_shape(x)
        low, high = (reduce(x, axis=[1, 2, 3], keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
        if x.dtype.is_integer:
            return low + tf.cast(rng.integers(shape, tf.cast(high - low, tf.int32) + 1, "erasing/fill"), x.dtype)
        return low + tf.cast(rng.uniform(shape, "erasing/fill"), x.dtype) * (high - low)


@functools.cache
def fitting_sizes(height: int, width: int, smallest: float, largest: float, aspect: float) -> np.ndarray:
    """Return the sizes of rectangles that fit into an image, all equally likely.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        smallest: Smallest area as a share of the image.
        largest: Largest area, likewise.
        aspect: Smallest aspect.

    Returns:
        ``int32[k, 2]``, rows and columns.

    Example:
        >>> fitting_sizes(10, 10, 0.25, 0.25, 1.0)[0].tolist()
        [5, 5]
    """
    aspects = aspect + (1 / aspect - aspect) * MIDDLES
    sizes = size_table(height, width, smallest, largest, (aspects, 1 / aspects))
    return sizes[(sizes[:, 0] < height) & (sizes[:, 1] < width)]
