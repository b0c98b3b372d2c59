"""How much of a phase is over, in whole parts, so that every compiler says the same."""

from __future__ import annotations

import tensorflow as tf

from batchsel.core.timestamp import Timestamp, elapsed_share

PARTS = 1 << 10
"""Parts of a phase."""
_BIAS = 0.3819660112501051
"""Shares are rounded up from here on. Compilers may differ in the last bit of a share; runs whose steps end on round
shares of the budget then never stand where that bit would decide, least of all at the end of the phase."""


def in_parts(share: tf.Tensor) -> tf.Tensor:
    """A share in whole parts.

    Args:
        share: ``float32[]`` in [0, 1].

    Returns:
        ``int32[]`` from 0 to `PARTS`.

    Example:
        >>> [int(in_parts(tf.constant(share))) for share in (0.0, 0.5, 0.9999)]
        [0, 512, 1024]
    """
    return tf.cast(share * PARTS + _BIAS, tf.int32)


def parts_over(duration: float | str, timestamp: Timestamp) -> tf.Tensor:
    """The parts of a phase at the start of the run that are over; all `PARTS` of them behind it.

    Args:
        duration: Of the phase: a share of the budget, or a text such as "5 passes".
        timestamp: Where the run stands.

    Returns:
        ``int32[]``.

    Example:
        >>> int(parts_over(0.5, Timestamp.from_progress(0.25)))
        512
    """
    return in_parts(elapsed_share(duration, timestamp))
