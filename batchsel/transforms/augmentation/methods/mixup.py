"""Mixup: weighted means of two samples and of their losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tensorflow as tf

from batchsel.core.parameters import Between, Share
from batchsel.core.rng import Rng
from batchsel.transforms.augmentation.base import Mixing, Mixture
from batchsel.transforms.augmentation.partners import draw_partners, draw_share
from batchsel.transforms.augmentation.pixels import ONE, blend
from batchsel.transforms.input_checks import require_numeric


@dataclass(frozen=True, repr=False)
class Mixup(Mixing):
    """Weighted means of each sample of a batch with another one.

    Formula: x ← λ x_i + (1 − λ) x_j and ℓ ← λ ℓ(f(x), y_i) + (1 − λ) ℓ(f(x), y_j), with λ ~ Beta(α, α) drawn once for
    the batch and j by a random permutation of it. 8-bit inputs are rounded to 8 bits.
    Source: H. Zhang, M. Cisse, Y. Dauphin and D. Lopez-Paz, *mixup: Beyond Empirical Risk Minimization*, ICLR 2018,
    https://arxiv.org/abs/1710.09412

    Args:
        alpha: α, above 0; the paper uses 0.2 to 0.4 on ImageNet and 1 on CIFAR-10.
        chance: The probability that a batch is mixed, in [0, 1].

    Raises:
        UsageError: If a parameter is out of range or of the wrong type.

    Example:
        >>> x, mixture = Mixup().mix(tf.ones([4, 3]), tf.ones([4], tf.bool), Rng(0, 0))
        >>> sorted(mixture.partners.numpy().tolist())
        [0, 1, 2, 3]
    """

    name = "mixup"
    alpha: Annotated[float, Between(0, 1000, lower_open=True)] = 0.2
    chance: Share = 1.0

    def mix(self, x: tf.Tensor, valid: tf.Tensor, rng: Rng) -> tuple[tf.Tensor, Mixture]:
        """Return the mixed samples and their mixture."""
        x = require_numeric(self, x)
        share = draw_share(self.alpha, self.chance, rng)
        mixture = Mixture(draw_partners(valid, rng), tf.cast(share, tf.float32) / ONE)
        values = tf.cast(x, tf.int32) if x.dtype == tf.uint8 else x
        return tf.cast(blend(values, mixture.gather_partners(values), share), x.dtype), mixture
