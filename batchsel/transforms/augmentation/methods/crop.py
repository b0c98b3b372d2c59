"""Random crops of padded images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tensorflow as tf

from batchsel.core.parameters import Between
from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_shape
from batchsel.errors import UserError
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.augmentation.pixels import gather_pixels
from batchsel.transforms.input_checks import require_images


@dataclass(frozen=True, repr=False)
class Crop(Augmentation):
    """Random crops of padded images, each of the size of the original.

    Formula: the upper left corner is uniform over {0, ..., 2 · padding}² of the padded image.
    Source: K. He, X. Zhang, S. Ren and J. Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016,
    https://arxiv.org/abs/1512.03385, section 4.2: padding 4 on CIFAR-10.

    Args:
        padding: Pixels on each side, at least 1.
        fill: Values of the padding: "zero", or "reflect" for the image mirrored at its edges.

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> Crop(2)(tf.ones([3, 8, 8, 1], tf.uint8), Rng(0, 0)).shape.as_list()
        [3, 8, 8, 1]
    """

    name = "crop"
    padding: Annotated[int, Between(1, 1024)] = 4
    fill: Literal["zero", "reflect"] = "zero"

    def __call__(self, x: tf.Tensor, rng: Rng) -> tf.Tensor:
        """Return the crops."""
        x = require_images(self, x)
        batch, height, width, _ = static_shape(x)
        if self.fill == "reflect" and self.padding >= min(height, width):
            raise UserError(
                f"{self!r}: images of {height} x {width} pixels are too small to reflect {self.padding} of them."
            )
        offsets = rng.integers([2, batch], 2 * self.padding + 1, "crop") - self.padding
        rows = tf.range(height)[None, :, None] + tf.gather(offsets, 0)[:, None, None]
        columns = tf.range(width)[None, None, :] + tf.gather(offsets, 1)[:, None, None]
        if self.fill == "reflect":
            rows, columns = _reflect(rows, height), _reflect(columns, width)
        return gather_pixels(x, rows, columns)


def _reflect(places: tf.Tensor, size: int) -> tf.Tensor:
    return size - 1 - tf.abs(size - 1 - tf.abs(places))
