"""Blurred images first, sharp ones later."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import tensorflow as tf

from batchsel.core.parameters import Between, Duration, KernelSize, PositiveShare
from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.transforms.curricula.base import Curriculum
from batchsel.transforms.curricula.gaussian import blur
from batchsel.transforms.input_checks import require_images, require_numeric
from batchsel.transforms.phase import PARTS, elapsed_parts

_LEVELS = 1 << 8
"""Steps in which sigma falls."""


@dataclass(frozen=True, repr=False)
class Blur(Curriculum):
    """Blur at the start of the run, so that coarse shapes are learned before fine details.

    Formula: x ← G_σ * x while t < `until`, with a Gaussian kernel of 2⌈3σ⌉ + 1 pixels that is normalized after it is
    cut off. "fixed": each image with probability `chance`, until the end of the phase; "chance": with probability
    chance · (1 − t/until); "sigma": with the standard deviation σ · (1 − t/until), in 256 steps.
    Cost: two products with matrices as large as the sides of the image; nothing after the phase.
    Source: blurred images first, gradually sharper, from M. Burduja and R. T. Ionescu, *Unsupervised Medical
    Image Alignment with Curriculum Learning*, ICIP 2021, https://arxiv.org/abs/2102.10438; after S. Sinha, A. Garg and
    H. Larochelle, *Curriculum by Smoothing*, NeurIPS 2020, https://arxiv.org/abs/2003.01367, who blur the outputs of
    convolutions and not images. "fixed" and "chance" are simpler forms of it.

    Args:
        sigma: Standard deviation in pixels, in (0, 20].
        until: Length of the phase: a share of the budget, or a text such as "20 passes".
        form: "fixed", "chance" or "sigma".
        chance: Probability that an image is blurred, in (0, 1].
        size: Pixels of the kernel, odd, at least 3; None for 2⌈3σ⌉ + 1.

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> x = tf.constant([0, 80, 0], tf.uint8, [1, 1, 3, 1])
        >>> early, late = (Blur(1.0, until=0.2)(x, Rng(0, 0), Timestamp.from_progress(p)) for p in (0.1, 0.2))
        >>> early.numpy().ravel().tolist(), late.numpy().ravel().tolist()
        ([24, 33, 24], [0, 80, 0])
    """

    name = "blur"
    # Wider kernels have weights too small for the integer arithmetic of 8-bit images.
    sigma: Annotated[float, Between(0, 20, lower_open=True)] = 1.0
    until: Duration = 0.2
    form: Literal["fixed", "chance", "sigma"] = "fixed"
    chance: PositiveShare = 1.0
    size: KernelSize | None = None

    def __call__(self, x: tf.Tensor, rng: Rng, timestamp: Timestamp) -> tf.Tensor:
        """Return the images with the blur of that time."""
        x = require_numeric(self, require_images(self, x))
        if not x.shape.is_fully_defined():
            raise UserError(f"{self!r} is for images of one size, the inputs have the shape {x.shape.as_list()}.")
        elapsed = elapsed_parts(self.until, timestamp)
        return tf.cond(elapsed < PARTS, lambda: self._blur(x, rng, elapsed), lambda: x)

    def logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        """Return the standard deviation in pixels, and the probability that an image is blurred."""
        elapsed = elapsed_parts(self.until, timestamp)
        on = tf.cast(elapsed < PARTS, tf.float32)
        sigma = tf.gather(tf.constant(self._sigmas(), tf.float32), self._level(elapsed))
        return {"blur sigma": on * sigma, "blur chance": on * self._chance(elapsed)}

    def _blur(self, x: tf.Tensor, rng: Rng, elapsed: tf.Tensor) -> tf.Tensor:
        radius = math.ceil(3 * self.sigma) if self.size is None else self.size // 2
        smooth = blur(x, self._sigmas(), self._level(elapsed), radius)
        if self.chance == 1 and self.form != "chance":
            return smooth
        return tf.where(rng.uniform([static_size(x), 1, 1, 1], "blur") < self._chance(elapsed), smooth, x)

    def _sigmas(self) -> list[float]:
        """Return the standard deviations, computed in advance because compilers differ in the exponential function."""
        levels = range(_LEVELS) if self.form == "sigma" else [0]
        return [self.sigma * (1 - level / _LEVELS) for level in levels]

    def _level(self, elapsed: tf.Tensor) -> tf.Tensor:
        last = _LEVELS - 1
        return tf.minimum(elapsed // (PARTS // _LEVELS), last) if self.form == "sigma" else tf.zeros([], tf.int32)

    def _chance(self, elapsed: tf.Tensor) -> tf.Tensor:
        remaining = PARTS - elapsed if self.form == "chance" else PARTS
        return tf.cast(remaining, tf.float32) * (self.chance / PARTS)
