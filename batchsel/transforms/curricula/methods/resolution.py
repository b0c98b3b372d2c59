"""Small images first, larger ones later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tensorflow as tf

from batchsel.core.parameters import Between, PositiveShare, Share
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.transforms.curricula.base import Curriculum
from batchsel.transforms.input_checks import require_images, require_numeric
from batchsel.transforms.phase import PARTS, to_parts


@dataclass(frozen=True, repr=False)
class Resolution(Curriculum):
    """Small images first, then larger ones, then full size.

    The cost of a step grows with the number of pixels, so that steps on small images take less time. It is for models
    that accept images of any size, such as convolutional ones that end in a mean over the image.

    Formula: sides of s · (h, w), rounded to a multiple of `multiple` and never above (h, w), where s is `start` until
    the share `delay` of the budget, then rises linearly, and is 1 from `finish` on.
    Cost: resizing a batch; nothing from `finish` on.
    Source: H. Touvron, A. Vedaldi, M. Douze and H. Jégou, *Fixing the Train-Test Resolution Discrepancy*, NeurIPS 2019,
    https://arxiv.org/abs/1906.06423; half the size at first and the full size for the last fifth, in steps of 4, as in
    MosaicML's Composer, https://docs.mosaicml.com/projects/composer/en/latest/method_cards/progressive_resizing.html.

    Args:
        start: The first s, in (0, 1].
        delay: Share of the budget during which sizes stay at `start`, in [0, 1].
        finish: Share of the budget from which on images have their full size, from `delay` to 1.
        multiple: Divisor of the sides of smaller images, in pixels, at least 1.
        method: "bilinear", or "area", the mean over the area of a pixel.

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> x = tf.zeros([2, 32, 24, 3])
        >>> [Resolution()(x, Rng(0, 0), Timestamp.from_progress(p)).shape.as_list()[1:3] for p in (0.0, 0.65, 0.8)]
        [[16, 12], [24, 20], [32, 24]]
    """

    name = "resolution"
    supports_jit = False
    suits_xla = False
    resizes = True
    start: PositiveShare = 0.5
    delay: Share = 0.5
    finish: Share = 0.8
    multiple: Annotated[int, Between(1, 1024)] = 4
    method: Literal["bilinear", "area"] = "bilinear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.delay > self.finish:
            raise UsageError(f"resolution: delay must not be above finish, got {self.delay} and {self.finish}.")

    def __call__(self, x: tf.Tensor, rng: Rng, timestamp: Timestamp) -> tf.Tensor:
        """Return the images at the size of that time, ``[b, height, width, c]``."""
        x = require_numeric(self, require_images(self, x))
        scale, full = self._scale(timestamp), tf.shape(x)[1:3]
        size = tf.where(scale < PARTS, self._round(scale, full), full)
        resized = tf.cond(tf.reduce_all(size == full), lambda: x, lambda: self._resize(x, size))
        # The branches of a condition lose shapes that they do not share.
        resized.set_shape([x.shape[0], None, None, x.shape[3]])
        return resized

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the sides as a share of the full size, before rounding."""
        return {"picture scale": tf.cast(self._scale(timestamp), tf.float32) / PARTS}

    def _scale(self, timestamp: Timestamp) -> tf.Tensor:
        """Return s in units of 1 / `PARTS`, ``int32[]``: integers, so that no last bit changes a size."""
        ramp = max(self.finish - self.delay, 1 / PARTS)
        share = tf.clip_by_value((timestamp.progress - self.delay) / ramp, 0.0, 1.0)
        risen = to_parts(tf.where(timestamp.progress >= self.finish, 1.0, share))
        first = round(self.start * PARTS)
        return first + (PARTS - first) * risen // PARTS

    def _round(self, scale: tf.Tensor, full: tf.Tensor) -> tf.Tensor:
        """Return ``int32[2]`` sides, at least one `multiple` and at most the full size."""
        steps = (full * scale + PARTS * self.multiple // 2) // (PARTS * self.multiple)
        return tf.minimum(tf.maximum(steps, 1) * self.multiple, full)

    def _resize(self, x: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        resized = tf.image.resize(x, size, self.method)
        return tf.cast(tf.round(resized) if x.dtype.is_integer else resized, x.dtype)
