"""Polynomial decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import tensorflow as tf

from batchsel.core.parameters import LARGEST, Between, Share
from batchsel.core.timestamp import Timestamp
from batchsel.schedules.base import Schedule
from batchsel.schedules.interpolation import interpolate


@dataclass(frozen=True, repr=False)
class Polynomial(Schedule):
    """Polynomial decay from 1 to `end`: a power of the remaining budget; with power 1 it is `linear`.

    Formula: end + (1 - end)(1 - p)^power at progress p.
    Source: W. Liu, A. Rabinovich and A. Berg, *ParseNet: Looking Wider to See Better*, 2015,
    https://arxiv.org/abs/1506.04579 (the "poly" policy); power 2 with LARS, Y. You, I. Gitman and B. Ginsburg, 2017,
    https://arxiv.org/abs/1708.03888.

    Args:
        power: Exponent of the remaining share of the budget, above 0.
        end: Final factor, in [0, 1].

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> float(Polynomial()(0.5))
        0.25
    """

    power: Annotated[float, Between(1e-6, LARGEST)] = 2.0
    end: Share = 0.0
    name: ClassVar[str] = "polynomial"

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        return interpolate(self.end, tf.pow(1.0 - timestamp.progress, self.power))
