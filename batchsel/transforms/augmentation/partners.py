"""Partners and shares of mixing augmentations."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf
from scipy.special import betaincinv

from batchsel.core.rng import Rng
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.transforms.augmentation.pixels import ONE

_LEVELS = 1 << 12


def draw_partners(valid: tf.Tensor, rng: Rng) -> tf.Tensor:
    """Return a random permutation that maps real rows to real rows, and rows of padding to rows of padding.

    Args:
        valid: ``bool[b]``.
        rng: Random numbers.

    Returns:
        ``int32[b]``.

    Example:
        >>> sorted(draw_partners(tf.constant([True, True, False]), Rng(0, 0)).numpy().tolist()[:2])
        [0, 1]
    """
    order = rng.permutation(static_size(valid), "partners")
    shuffled = tf.scatter_nd(_ranks(tf.gather(valid, order))[:, None], order, valid.shape)
    return tf.gather(shuffled, _ranks(valid))


def _ranks(valid: tf.Tensor) -> tf.Tensor:
    """Return the rank of each row, real rows first, without sorting: XLA needs seconds to compile a sort."""
    real = tf.cast(valid, tf.int32)
    first = tf.cumsum(real, exclusive=True)
    return tf.where(valid, first, tf.reduce_sum(real) + tf.cumsum(1 - real, exclusive=True))


def draw_share(alpha: float, chance: float, rng: Rng) -> tf.Tensor:
    """Draw λ ~ Beta(α, α), one for a batch; 1 if the batch is not mixed.

    One of 4096 quantiles is drawn by integer bits: the inverse of the distribution is computed in advance and needs
    no logarithm on the device, so λ is the same in every mode.

    Args:
        alpha: α, above 0.
        chance: The probability that the batch is mixed.
        rng: Random numbers.

    Returns:
        ``int32[]`` in units of 1 / `pixels.ONE`.
    """
    drawn = tf.gather(tf.constant(quantiles(alpha)), rng.integers([], _LEVELS, "share"))
    return tf.where(rng.uniform([], "mixed") < chance, drawn, ONE)


@functools.cache
def quantiles(alpha: float) -> np.ndarray:
    """Return quantiles of Beta(α, α) at the middles of equal parts.

    Args:
        alpha: α.

    Returns:
        ``int32[4096]``, ascending, in units of 1 / `pixels.ONE`.

    Example:
        >>> int(quantiles(1.0)[2047]), int(quantiles(1.0)[2048])
        (2048, 2048)
    """
    middles = (np.arange(_LEVELS) + 0.5) / _LEVELS
    return np.round(betaincinv(alpha, alpha, middles) * ONE).astype(np.int32)
