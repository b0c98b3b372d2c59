"""Progress of a phase in integer parts, so that all compilers agree."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.timestamp import Timestamp, elapsed_share

PARTS = 1 << 10
"""Number of parts of a phase."""
_BIAS = 0.3819660112501051
"""Shares are rounded up from here on. Compilers may differ in the last bit of a share; this threshold keeps round
shares of the budget, above all the end of the phase, away from the point where that bit would decide."""


def to_parts(share: tf.Tensor) -> tf.Tensor:
    """Return a share in integer parts.

    Args:
        share: ``float32[]`` in [0, 1].

    Returns:
        ``int32[]`` from 0 to `PARTS`.

    Example:
        >>> [int(to_parts(tf.constant(share))) for share in (0.0, 0.5, 0.9999)]
        [0, 512, 1024]
    """
    return tf.cast(share * PARTS + _BIAS, tf.int32)


def elapsed_parts(duration: float | str, timestamp: Timestamp) -> tf.Tensor:
    """Return the elapsed parts of a phase at the start of the run; all `PARTS` after it.

    Args:
        duration: Length of the phase: a share of the budget, or a text such as "5 passes".
        timestamp: Time of the step.

    Returns:
        ``int32[]``.

    Example:
        >>> int(elapsed_parts(0.5, Timestamp.from_progress(0.25)))
        512
    """
    return to_parts(elapsed_share(duration, timestamp))
