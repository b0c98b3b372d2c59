"""Curves between a level and 1 that meet both ends to the bit, and are never below 0."""

from __future__ import annotations

import math

import tensorflow as tf


def above(low: float, share: tf.Tensor) -> tf.Tensor:
    """Between two levels: `low` + (1 − `low`) · `share`.

    In float32 this is `low` for a share of 0, 1 for a share of 1, and never falls where the share rises.

    Args:
        low: The level, in [0, 1].
        share: ``float32[]`` in [0, 1].

    Returns:
        ``float32[]``.

    Example:
        >>> float(above(0.5, tf.constant(0.5)))
        0.75
    """
    low = tf.constant(low, tf.float32)
    return low + (1.0 - low) * share


def eased(share: tf.Tensor) -> tf.Tensor:
    """Half a cosine from 0 up to 1, (1 − cos πs) / 2, written as sin²(πs/2).

    A square is never negative, and near 0 it loses no digits to a difference.

    Args:
        share: ``float32[]`` s in [0, 1].

    Returns:
        ``float32[]``.

    Example:
        >>> float(eased(tf.constant(0.0))), float(eased(tf.constant(1.0)))
        (0.0, 1.0)
    """
    return tf.square(tf.sin(0.5 * math.pi * share))
