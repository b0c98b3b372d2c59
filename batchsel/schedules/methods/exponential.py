"""Exponential decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.parameters import PositiveShare
from batchsel.core.timestamp import Timestamp
from batchsel.schedules.base import Schedule


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """Exponential decay from 1 to `end`.

    Formula: end^p at progress p.

    Args:
        end: Final factor, in (0, 1].

    Raises:
        UsageError: If it is out of range.

    Example:
        >>> round(float(Exponential(end=0.01)(0.5)), 6)
        0.1
    """

    end: PositiveShare = 0.01
    name: ClassVar[str] = "exponential"

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        return tf.pow(tf.constant(self.end, tf.float32), timestamp.progress)
