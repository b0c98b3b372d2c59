"""Step decay at milestones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import tensorflow as tf

from batchsel.core.parameters import LARGEST, Between, Milestones
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.schedules.base import Schedule
from batchsel.schedules.milestones import count_reached


@dataclass(frozen=True, repr=False)
class StepDecay(Schedule):
    """Step decay: the rate is multiplied by `times` at each milestone.

    Formula: times^(number of milestones reached).
    Source: K. He, X. Zhang, S. Ren and J. Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016,
    https://arxiv.org/abs/1512.03385, section 4.2: a tenth at 1/2 and at 3/4 of the budget.

    Args:
        at: The milestones: shares of the budget in (0, 1], or texts such as "30 passes".
        times: Factor at each milestone, in (0, 1000]; usually 0.1.

    Raises:
        UsageError: If there is no milestone, or an argument is out of range.

    Example:
        >>> [round(float(StepDecay([0.5, 0.75])(p)), 6) for p in (0.25, 0.5, 0.75)]
        [1.0, 0.1, 0.01]
    """

    at: Milestones = (0.5, 0.75)
    times: Annotated[float, Between(0, 1000, lower_open=True)] = 0.1
    name: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "at", tuple(self.at))  # as a tuple, so that equal schedules compare equal
        if not self.at:
            raise UsageError("step: at must list at least one milestone, as in step(at=[0.5, 0.75]).")
        if self.times ** len(self.at) > LARGEST:
            raise UsageError(f"step: {len(self.at)} times {self.times} grows above {LARGEST:g}; use fewer milestones.")

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        powers = [self.times**count for count in range(len(self.at) + 1)]
        return tf.gather(tf.constant(powers, tf.float32), count_reached(self.at, timestamp))
