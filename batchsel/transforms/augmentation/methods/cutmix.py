"""CutMix: a rectangle of each image is replaced by that of another image."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import tensorflow as tf

from batchsel.core.parameters import Between, Share
from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_shape
from batchsel.transforms.augmentation.base import Mixing, Mixture
from batchsel.transforms.augmentation.partners import draw_partners, draw_share
from batchsel.transforms.augmentation.pixels import ONE, in_rectangle
from batchsel.transforms.input_checks import require_images

_FINE = 1 << 24


@dataclass(frozen=True, repr=False)
class CutMix(Mixing):
    """Mixing of images: a rectangle of each is replaced by that of another image of the batch.

    Formula: λ ~ Beta(α, α), drawn once for the batch; a rectangle of h √(1 − λ) by w √(1 − λ) pixels, its center
    uniform over the image, is clipped at the edges; with λ ← the share of the pixels outside of it, the loss is
    λ ℓ(f(x), y_i) + (1 − λ) ℓ(f(x), y_j), j by a random permutation of the batch.
    Source: S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe and Y. Yoo, *CutMix: Regularization Strategy to Train Strong
    Classifiers with Localizable Features*, ICCV 2019, https://arxiv.org/abs/1905.04899

    Args:
        alpha: α, above 0; the paper uses 1.
        chance: The probability that a batch is mixed, in [0, 1]; the paper uses 0.5 on CIFAR.

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> x, mixture = CutMix(chance=0.0).mix(tf.ones([4, 8, 8, 1]), tf.ones([4], tf.bool), Rng(0, 0))
        >>> float(mixture.share)
        1.0
    """

    name = "cutmix"
    alpha: Annotated[float, Between(0, 1000, lower_open=True)] = 1.0
    chance: Share = 1.0

    def mix(self, x: tf.Tensor, valid: tf.Tensor, rng: Rng) -> tuple[tf.Tensor, Mixture]:
        """Return the mixed images and their mixture."""
        x = require_images(self, x)
        _, height, width, _ = static_shape(x)
        share = draw_share(self.alpha, self.chance, rng)
        top, rows = _span(height, share, rng.integers([], height, "row"))
        left, columns = _span(width, share, rng.integers([], width, "column"))
        outside = tf.cast(height * width - rows * columns, tf.int64)
        # In integers, because XLA multiplies by the reciprocal instead of dividing.
        outside = tf.cast((outside * _FINE + height * width // 2) // (height * width), tf.float32) / _FINE
        mixture = Mixture(draw_partners(valid, rng), outside)
        return tf.where(in_rectangle(x, top, left, rows, columns), mixture.gather_partners(x), x), mixture


def _span(size: int, share: tf.Tensor, center: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the start and the length of the rectangle along a side, clipped to the image."""
    half = tf.gather(tf.constant(half_sides(size)), share)
    first, last = tf.maximum(center - half, 0), tf.minimum(center + half, size)
    return first, last - first


@functools.cache
def half_sides(size: int) -> np.ndarray:
    """Return half the side of the rectangle for each λ, rounded as in the code of the authors.

    Args:
        size: Pixels of a side of the image.

    Returns:
        ``int32[ONE + 1]`` for λ = 0, ..., 1 in steps of 1 / `pixels.ONE`.

    Example:
        >>> half_sides(32)[[0, ONE * 3 // 4, ONE]].tolist()
        [16, 8, 0]
    """
    sides = size * np.sqrt(1 - np.arange(ONE + 1) / ONE)
    return (sides.astype(np.int32) // 2).astype(np.int32)
