"""Milestones of a run: shares of the budget, or texts such as "5 passes"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from batchsel.core.timestamp import Timestamp, elapsed_share

if TYPE_CHECKING:
    import tensorflow as tf


def count_reached(milestones: Sequence[float | str], timestamp: Timestamp) -> tf.Tensor:
    """Return the number of milestones that are reached, ``int32[]``.

    Args:
        milestones: Shares of the budget, or texts such as "5 passes".
        timestamp: Time of the run.

    Example:
        >>> int(count_reached([0.25, "1 pass", 0.75], Timestamp.from_progress(0.5, passes=10)))
        2
    """
    import tensorflow as tf

    reached = [tf.cast(elapsed_share(milestone, timestamp) >= 1.0, tf.int32) for milestone in milestones]
    return tf.add_n([tf.zeros_like(timestamp.progress, tf.int32), *reached])
