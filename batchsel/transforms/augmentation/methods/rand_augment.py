"""RandAugment: a few operations out of fourteen for each image, all of the same strength."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import tensorflow as tf

from batchsel.core.parameters import Between
from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_shape, static_size
from batchsel.errors import UserError
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.augmentation.lookup_tables import (
    auto_contrast_tables,
    contrast_tables,
    equalize_tables,
    smooth,
)
from batchsel.transforms.augmentation.pixels import ONE, blend, gather_pixels, luma
from batchsel.transforms.input_checks import require_images

OPERATIONS = (
    "identity", "brightness", "posterize", "solarize", "contrast", "autocontrast", "equalize", "color", "sharpness",
    "rotate", "shear_x", "shear_y", "translate_x", "translate_y",
)  # fmt: skip
_FIRST_FROM_IMAGE, _FIRST_BLEND, _FIRST_MOVE = map(OPERATIONS.index, ("contrast", "color", "rotate"))
"""Operations before the first are fixed tables of levels; from it on they are tables that depend on the image, from the
second on they blend two images, and from the third on they move pixels."""
_FRACTION_BITS = 16
"""Fractional bits of affine maps."""


@dataclass(frozen=True, repr=False)
class RandAugment(Augmentation):
    """Random operations on each image, drawn separately for each.

    Formula: `ops` times, one of identity, brightness, posterize, solarize, contrast, autocontrast, equalize, color,
    sharpness, rotate, shear and translate along x and y, with equal chance, at strength magnitude / 30: factors up to
    1 ± 0.9, 8 to 4 bits, solarized from 255 down to 0, 30 degrees, shears of 0.3, 45 % of the side; the sign is random.
    Pixels are those of the nearest neighbor, black outside the image; rotated and sheared about the center.
    Source: E. Cubuk, B. Zoph, J. Shlens and Q. Le, *RandAugment: Practical Automated Data Augmentation with a Reduced
    Search Space*, NeurIPS 2020, https://arxiv.org/abs/1909.13719; the strengths as in torchvision. Implemented here
    because `keras.layers.RandAugment` draws the operations once for a batch, and computes all of them for all images.

    Args:
        ops: Number of operations on each image, at least 1.
        magnitude: Strength of the operations, in [0, 30].

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> RandAugment()(tf.fill([2, 8, 8, 3], tf.constant(100, tf.uint8)), Rng(0, 0)).dtype.name
        'uint8'
    """

    name = "rand_augment"
    ops: Annotated[int, Between(1, 64)] = 2
    magnitude: Annotated[float, Between(0, 30)] = 9

    def __call__(self, x: tf.Tensor, rng: Rng) -> tf.Tensor:
        """Return the images after all operations."""
        x = require_images(self, x)
        if x.dtype != tf.uint8:
            raise UserError(
                f"{self!r} is for 8-bit images, these are {x.dtype.name}. Pass them as uint8, and scale them in the"
                " model, as keras.layers.Rescaling does."
            )
        drawn = [self.ops, static_size(x)]
        operations = rng.integers(drawn, len(OPERATIONS), "rand_augment")
        signs = 2 * rng.integers(drawn, 2, "rand_augment/sign") - 1

        def body(place: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return place + 1, self.apply(x, tf.gather(operations, place), tf.gather(signs, place))

        # A loop, because XLA would compute the first operation again wherever the second one reads a pixel.
        return tf.while_loop(lambda place, x: place < self.ops, body, (tf.constant(0), x))[1]

    def apply(self, x: tf.Tensor, operations: tf.Tensor, signs: tf.Tensor) -> tf.Tensor:
        """Apply one operation to each image.

        Args:
            x: ``uint8[b, h, w, c]``.
            operations: ``int32[b]`` positions in `OPERATIONS`.
            signs: ``int32[b]``, 1 or -1.

        Returns:
            ``uint8[b, h, w, c]``.
        """
        levels, each = tf.cast(x, tf.int32), tf.reshape(operations, [-1, 1, 1, 1])
        tabled = tf.cast(self._apply_tables(levels, operations, signs), tf.uint8)
        blended = tf.cast(self._blend(levels, operations, signs), tf.uint8)
        moved = self._move(x, operations, signs)
        return tf.where(each < _FIRST_BLEND, tabled, tf.where(each < _FIRST_MOVE, blended, moved))

    def _factors(self, signs: tf.Tensor) -> tf.Tensor:
        return tf.reshape(ONE + signs * round(0.9 * self.magnitude / 30 * ONE), [-1, 1, 1, 1])

    def _apply_tables(self, levels: tf.Tensor, operations: tf.Tensor, signs: tf.Tensor) -> tf.Tensor:
        """Return the images after operations on levels: a table of 256 for each channel of each image."""
        batch, _, _, channels = static_shape(levels)
        fixed = tf.constant(self._fixed_tables())
        rows = tf.minimum(operations, _FIRST_FROM_IMAGE - 1) * 2 + tf.cast(signs > 0, tf.int32)
        table = tf.tile(tf.gather(fixed, rows)[:, None], [1, channels, 1])
        tables = {
            "contrast": contrast_tables(levels, self._factors(signs)),
            "autocontrast": auto_contrast_tables(levels),
            "equalize": equalize_tables(levels),
        }
        for name, other in tables.items():
            table = tf.where((operations == OPERATIONS.index(name))[:, None, None], other, table)
        places = tf.reshape(tf.range(batch * channels), [batch, 1, 1, channels]) * 256 + levels
        return tf.gather(tf.reshape(table, [-1]), places)

    def _fixed_tables(self) -> np.ndarray:
        """Return the fixed tables, ``int32[2 * 4, 256]``: for each operation, for the signs -1 and 1."""
        levels, strength = np.arange(256), self.magnitude / 30
        bright = [np.clip(levels * round(ONE * (1 + s * 0.9 * strength)) + ONE // 2, 0, None) // ONE for s in (-1, 1)]
        mask = 256 - (1 << round(4 * strength))
        limit = 255 * (1 - strength)
        solarized = np.where(levels >= limit, 255 - levels, levels) if strength else levels
        both = [levels, levels, *bright, levels & mask, levels & mask, solarized, solarized]
        return np.minimum(np.stack(both), 255).astype(np.int32)

    def _blend(self, levels: tf.Tensor, operations: tf.Tensor, signs: tf.Tensor) -> tf.Tensor:
        """Return the images after color and sharpness: moved from, or toward, the gray or the smoothed image."""
        sharp = tf.reshape(operations == OPERATIONS.index("sharpness"), [-1, 1, 1, 1])
        other = tf.where(sharp, smooth(levels), luma(levels))
        return tf.clip_by_value(blend(levels, other, self._factors(signs)), 0, 255)

    def _move(self, x: tf.Tensor, operations: tf.Tensor, signs: tf.Tensor) -> tf.Tensor:
        """Return the images after operations that move pixels: an affine map for each image, in integers."""
        _, height, width, _ = static_shape(x)
        maps = tf.constant(self._affine_maps(height, width))
        rows = tf.maximum(operations - _FIRST_MOVE, 0) * 2 + tf.cast(signs > 0, tf.int32)
        a, b, c, d, e, f = (value[:, None, None] for value in tf.unstack(tf.gather(maps, rows), axis=1))
        # Twice the distance from the center is a whole number.
        across, down = (
            2 * tf.range(width)[None, None, :] - (width - 1),
            2 * tf.range(height)[None, :, None] - (height - 1),
        )
        shift = tf.constant(_FRACTION_BITS + 1)
        columns = tf.bitwise.right_shift(a * across + b * down + c + (width << _FRACTION_BITS), shift)
        lines = tf.bitwise.right_shift(d * across + e * down + f + (height << _FRACTION_BITS), shift)
        return gather_pixels(x, lines, columns)

    def _affine_maps(self, height: int, width: int) -> np.ndarray:
        """Return ``int32[2 * moving, 6]`` affine maps from a pixel to its source, for the signs -1 and 1."""
        strength, rows = self.magnitude / 30, []
        shear, angle = 0.3 * strength, math.radians(30 * strength)
        for name in OPERATIONS[_FIRST_MOVE:]:
            for sign in (-1, 1):
                cosine, sine = math.cos(angle), sign * math.sin(angle)
                across, down = (2 * sign * round(0.45 * strength * side) for side in (width, height))
                rows.append(
                    {
                        "rotate": (cosine, -sine, 0, sine, cosine, 0),
                        "shear_x": (1, sign * shear, 0, 0, 1, 0),
                        "shear_y": (1, 0, 0, sign * shear, 1, 0),
                        "translate_x": (1, 0, across, 0, 1, 0),
                        "translate_y": (1, 0, 0, 0, 1, down),
                    }[name]
                )
        return np.round(np.array(rows) * (1 << _FRACTION_BITS)).astype(np.int32)
