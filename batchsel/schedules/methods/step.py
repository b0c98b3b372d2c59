"""Decay in steps, at milestones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.checks import check_range
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.schedules.base import Schedule
from batchsel.schedules.points import checked_points, passed


@dataclass(frozen=True, repr=False)
class Step(Schedule):
    """Multiplies the rate by `times` at each of some points.

    Formula: times^(number of points reached).
    Source: K. He, X. Zhang, S. Ren and J. Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016,
    https://arxiv.org/abs/1512.03385, section 4.2: a tenth at 1/2 and at 3/4 of the budget.

    Args:
        at: The points: shares of the budget in (0, 1], or texts such as "30 passes".
        times: What the rate is multiplied with at each of them, in (0, 1000]; a tenth is usual.

    Raises:
        UsageError: If there is no point, or anything lies outside.

    Example:
        >>> [round(float(Step([0.5, 0.75])(p)), 6) for p in (0.25, 0.5, 0.75)]
        [1.0, 0.1, 0.01]
    """

    at: Sequence[float | str] = (0.5, 0.75)
    times: float = 0.1
    name: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", checked_points(self, "at"))  # a tuple, so that equal ones are equal
        if not self.at:
            raise UsageError("step: at must list at least one point, as in step(at=[0.5, 0.75]).")
        check_range(self, "times", 0, 1000, lower_open=True)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """The factor."""
        powers = [self.times**count for count in range(len(self.at) + 1)]
        return tf.gather(tf.constant(powers, tf.float32), passed(self.at, timestamp))
