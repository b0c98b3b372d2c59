"""Factors of the learning rate as functions of progress.

Progress counts samples trained on, so that a selector which prunes never leaves a schedule unfinished.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from batchsel.schedules import text

Schedule = Callable[[tf.Tensor], tf.Tensor]


def constant(progress: tf.Tensor) -> tf.Tensor:
    """1 throughout.

    Args:
        progress: ``float32[]`` in [0, 1].

    Example:
        >>> float(constant(tf.constant(0.5)))
        1.0
    """
    return tf.ones_like(progress)


def linear(progress: tf.Tensor) -> tf.Tensor:
    """From 1 down to 0 in a straight line.

    Source: M. Li, E. Yumer and D. Ramanan, *Budgeted Training*, ICLR 2020.

    Args:
        progress: ``float32[]`` in [0, 1].

    Example:
        >>> float(linear(tf.constant(0.25)))
        0.75
    """
    return 1.0 - progress


def cosine(progress: tf.Tensor) -> tf.Tensor:
    """From 1 down to 0 along half a cosine, (1 + cos πp) / 2.

    Source: I. Loshchilov and F. Hutter, *SGDR*, ICLR 2017, without restarts.

    Args:
        progress: ``float32[]`` in [0, 1].

    Example:
        >>> round(float(cosine(tf.constant(0.5))), 6)
        0.5
    """
    return 0.5 * (1.0 + tf.cos(math.pi * progress))


def schedule(name: str | Schedule | None) -> Schedule | None:
    """The schedule that a text describes; functions and None pass through.

    Args:
        name: "constant", "linear", "cosine", a product such as "cosine | warmup(0.05)", a function of progress, or
            None.

    Raises:
        UsageError: If the text cannot be read, or a name is unknown.

    Example:
        >>> schedule("linear") is linear
        True
    """
    return name if name is None or callable(name) else text.parse(name)
