"""The 1cycle policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import tensorflow as tf

from batchsel.core.parameters import Between, Momenta, PositiveAmount
from batchsel.core.timestamp import Timestamp
from batchsel.schedules.base import Schedule
from batchsel.schedules.interpolation import cosine_ramp, interpolate


@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """The 1cycle policy: cosine rise from peak/div to the peak, then cosine decay to (peak/div)/final_div.

    The momentum falls from high to low while the rate rises, and rises again while the rate falls. PyTorch's OneCycleLR
    has the same curve over the steps 0 to n - 1, with the peak at step rise · n - 1; here it runs over the budget of
    samples.

    Formula: with e(x) = (1 - cos πx)/2: 1/div + (1 - 1/div) e(p/rise) up to p = rise, then
    f + (1 - f) e((1 - p)/(1 - rise)), f = 1/(div · final_div).
    Source: L. N. Smith and N. Topin, *Super-Convergence*, 2018, https://arxiv.org/abs/1708.07120; L. N. Smith, *A
    Disciplined Approach to Neural Network Hyper-Parameters*, 2018, https://arxiv.org/abs/1803.09820.

    Args:
        peak: Highest learning rate, above 0; None for that of the optimizer.
        div: Peak over initial rate, at least 1.
        final_div: Initial over final rate, at least 1.
        rise: Share of the budget over which the rate rises, in (0, 1).
        momenta: Lowest and highest momentum (β₁ of Adam and its variants), in [0, 1), as in [0.85, 0.95]; None to
            leave it alone.

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> cycle = OneCycle(div=4.0, momenta=[0.85, 0.95])
        >>> [round(float(cycle(p)), 6) for p in (0.0, 0.15, 0.3, 1.0)]
        [0.25, 0.625, 1.0, 2.5e-05]
        >>> [round(float(cycle.momentum(Timestamp.from_progress(p))), 6) for p in (0.0, 0.3, 1.0)]
        [0.95, 0.85, 0.95]
    """

    peak: PositiveAmount | None = None
    div: Annotated[float, Between(1, 1e9)] = 25.0
    final_div: Annotated[float, Between(1, 1e12)] = 10000.0
    rise: Annotated[float, Between(0, 1, lower_open=True, upper_open=True)] = 0.3
    momenta: Momenta | None = None
    name: ClassVar[str] = "one_cycle"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.momenta is not None:
            # As a tuple, so that equal schedules compare equal.
            object.__setattr__(self, "momenta", tuple(self.momenta))

    @property
    def base_learning_rate(self) -> float | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The peak."""
        return self.peak

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        first = 1.0 / self.div
        height = self._height(timestamp)
        return tf.where(
            timestamp.progress < self.rise, interpolate(first, height), interpolate(first / self.final_div, height)
        )

    def momentum(self, timestamp: Timestamp) -> tf.Tensor | None:
        """Return the momentum, high at both ends and low at the peak."""
        if self.momenta is None:
            return None
        low, high = self.momenta
        height = self._height(timestamp)
        return low * height + high * (1.0 - height)

    def _height(self, timestamp: Timestamp) -> tf.Tensor:
        """Return 0 at both ends, 1 at the peak."""
        rise = tf.constant(self.rise, tf.float32)
        share = tf.minimum(timestamp.progress / rise, (1.0 - timestamp.progress) / (1.0 - rise))
        return cosine_ramp(tf.minimum(share, 1.0))
