"""Linear decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.parameters import Share
from batchsel.core.timestamp import Timestamp
from batchsel.schedules.base import Schedule
from batchsel.schedules.interpolation import interpolate


@dataclass(frozen=True, repr=False)
class Linear(Schedule):
    """Linear decay from 1 to `end`.

    Formula: end + (1 - end)(1 - p) at progress p.
    Source: M. Li, E. Yumer and D. Ramanan, *Budgeted Training*, ICLR 2020, https://arxiv.org/abs/1905.04753.

    Args:
        end: Final factor, in [0, 1].

    Raises:
        UsageError: If it is out of range.

    Example:
        >>> float(Linear()(0.25)), float(Linear(end=0.5)(0.5))
        (0.75, 0.75)
    """

    end: Share = 0.0
    name: ClassVar[str] = "linear"

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        return interpolate(self.end, 1.0 - timestamp.progress)
