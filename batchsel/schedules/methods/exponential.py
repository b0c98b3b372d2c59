"""Exponential decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.checks import check_range
from batchsel.core.timestamp import Timestamp
from batchsel.schedules.base import Schedule


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """From 1 down to `end`, by the same factor in equal parts of the budget.

    Formula: end^p at progress p.

    Args:
        end: The last factor, in (0, 1].

    Raises:
        UsageError: If it lies outside.

    Example:
        >>> round(float(Exponential(end=0.01)(0.5)), 6)
        0.1
    """

    end: float = 0.01
    name: ClassVar[str] = "exponential"

    def __post_init__(self) -> None:
        check_range(self, "end", 0, 1, lower_open=True)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """The factor."""
        return tf.pow(tf.constant(self.end, tf.float32), timestamp.progress)
