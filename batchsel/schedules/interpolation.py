"""Curves from a level up to 1 that are exact at both ends in float32, and never below 0."""

from __future__ import annotations

import math

import tensorflow as tf


def interpolate(low: float, share: tf.Tensor) -> tf.Tensor:
    """Return `low` + (1 − `low`) · `share`, ``float32[]``.

    In float32 this is `low` for a share of 0, 1 for a share of 1, and never falls where the share rises.

    Args:
        low: The level, in [0, 1].
        share: ``float32[]`` in [0, 1].

    Example:
        >>> float(interpolate(0.5, tf.constant(0.5)))
        0.75
    """
    level = tf.constant(low, tf.float32)
    return level + (1.0 - level) * share


def cosine_ramp(share: tf.Tensor) -> tf.Tensor:
    """Return half a cosine from 0 up to 1, (1 − cos πs) / 2, ``float32[]``.

    It is computed as sin²(πs/2): a square is never negative, and near 0 it loses no digits to a difference.

    Args:
        share: ``float32[]`` s in [0, 1].

    Example:
        >>> float(cosine_ramp(tf.constant(0.0))), float(cosine_ramp(tf.constant(1.0)))
        (0.0, 1.0)
    """
    return tf.square(tf.sin(0.5 * math.pi * share))
