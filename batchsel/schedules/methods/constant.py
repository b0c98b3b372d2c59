"""Constant learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.schedules.base import Schedule


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """A constant factor of 1.

    Formula: 1.

    Example:
        >>> float(Constant()(0.5))
        1.0
    """

    name: ClassVar[str] = "constant"

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return 1."""
        return tf.ones_like(timestamp.progress)
