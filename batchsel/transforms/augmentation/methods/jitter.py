"""Random brightness, contrast and saturation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tensorflow as tf

from batchsel.core.parameters import LARGEST, Between
from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.errors import UserError
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.augmentation.pixels import ONE, blend, luma, mean_luma
from batchsel.transforms.input_checks import require_images, require_numeric


@dataclass(frozen=True, repr=False)
class Jitter(Augmentation):
    """Random factors of the brightness, then the contrast, then the saturation of each image.

    Formula: x ← clip(f x + (1 − f) d) with f ~ U(max(0, 1 − a), 1 + a), where d is black for brightness, the mean luma
    of the image for contrast, and the luma of each pixel for saturation (of images with three channels).
    Source: the jitter of A. Howard, *Some Improvements on Deep Convolutional Neural Network Based Image
    Classification*, 2013, https://arxiv.org/abs/1312.5402, which changes them in random order.

    Args:
        brightness: a for the brightness, at least 0.
        contrast: a for the contrast.
        saturation: a for the saturation.
        white: Value of white in floating-point images, where black is 0; 8-bit images have 255.

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> Jitter(0.4)(tf.fill([2, 4, 4, 3], tf.constant(100, tf.uint8)), Rng(0, 0)).dtype.name
        'uint8'
    """

    name = "jitter"
    brightness: Annotated[float, Between(0, 100)] = 0.4
    contrast: Annotated[float, Between(0, 100)] = 0.4
    saturation: Annotated[float, Between(0, 100)] = 0.4
    white: Annotated[float, Between(1e-6, LARGEST)] | None = None

    def __call__(self, x: tf.Tensor, rng: Rng) -> tf.Tensor:
        """Return the images with changed colors."""
        x = require_numeric(self, require_images(self, x))
        white = 255 if x.dtype == tf.uint8 else self.white
        if white is None:
            raise UserError(
                f"{self!r}: the images are {x.dtype.name}. Give the value of white, as in jitter(0.4, white=1.0)."
            )
        values = tf.cast(x, tf.int32) if x.dtype == tf.uint8 else x
        steps = {"brightness": tf.zeros_like, "contrast": mean_luma, "saturation": luma}
        for field, other in steps.items():
            if getattr(self, field):
                factors = self._factors(getattr(self, field), static_size(x), rng, f"jitter/{field}")
                values = tf.clip_by_value(blend(values, other(values), factors), 0, white)
        return tf.cast(values, x.dtype)

    def _factors(self, amount: float, batch: int, rng: Rng, stream: str) -> tf.Tensor:
        least, most = round(max(0, 1 - amount) * ONE), round((1 + amount) * ONE)
        return least + rng.integers([batch, 1, 1, 1], most - least + 1, stream)
