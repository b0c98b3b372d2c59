"""Random mirror images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from batchsel.core.parameters import Share
from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.input_checks import require_images

_AXES = {"horizontal": 2, "vertical": 1}


@dataclass(frozen=True, repr=False)
class Flip(Augmentation):
    """Mirror images, with some probability for each image.

    Source: K. He, X. Zhang, S. Ren and J. Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016,
    https://arxiv.org/abs/1512.03385, section 4.2.

    Args:
        chance: The probability, in [0, 1].
        direction: "horizontal", left to right, or "vertical".

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> Flip(1.0)(tf.reshape(tf.range(2), [1, 1, 2, 1]), Rng(0, 0)).numpy().ravel().tolist()
        [1, 0]
    """

    name = "flip"
    chance: Share = 0.5
    direction: Literal["horizontal", "vertical"] = "horizontal"

    def __call__(self, x: tf.Tensor, rng: Rng) -> tf.Tensor:
        """Return the images, some of them mirrored."""
        x = require_images(self, x)
        flipped = rng.uniform([static_size(x), 1, 1, 1], "flip") < self.chance
        return tf.where(flipped, tf.reverse(x, [_AXES[self.direction]]), x)
