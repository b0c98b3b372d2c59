"""Cosine decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.parameters import Share
from batchsel.core.timestamp import Timestamp
from batchsel.schedules.base import Schedule
from batchsel.schedules.interpolation import cosine_ramp, interpolate


@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """Cosine decay from 1 to `end`.

    Formula: end + (1 - end)(1 + cos πp)/2 at progress p.
    Source: I. Loshchilov and F. Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, ICLR 2017,
    https://arxiv.org/abs/1608.03983, equation 5, without restarts.

    Args:
        end: Final factor, in [0, 1].

    Raises:
        UsageError: If it is out of range.

    Example:
        >>> round(float(Cosine()(0.5)), 6), float(Cosine(end=0.125)(1.0))
        (0.5, 0.125)
    """

    end: Share = 0.0
    name: ClassVar[str] = "cosine"

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        return interpolate(self.end, cosine_ramp(1.0 - timestamp.progress))
