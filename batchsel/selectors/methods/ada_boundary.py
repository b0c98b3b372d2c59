"""Ada-Boundary."""

from __future__ import annotations

from typing import Annotated, Literal

from batchsel.core.parameters import INT32, Amount, AtLeastOne, Between, checked
from batchsel.selectors.base import Part
from batchsel.selectors.draws.proportional import Proportional
from batchsel.selectors.modifiers.blending import MOST_WARMUP
from batchsel.selectors.modifiers.pressures import Pressure
from batchsel.selectors.scores.boundary import Boundary


@checked
def ada_boundary(
    side: Literal["near", "hard", "easy"] = "near",
    pressure: AtLeastOne = 32.0,
    warmup: Amount = 15,
    classes: Annotated[int, Between(2, INT32)] | None = None,
) -> Part:
    """Draw samples near the decision boundary.

    Formula: ``boundary(side, classes) | pressure(pressure, pressure, warmup, most=0.5) | proportional``.
    Cost: one float a sample, O(n) for each plan, no extra forward pass. Biased toward the boundary.
    Source: H. Song et al., *Ada-Boundary: Accelerating DNN Training via Adaptive Boundary Batch Selection*, Machine
    Learning 109 (2020), https://doi.org/10.1007/s10994-020-05903-6, with pressure 32 on Fashion-MNIST and 2 on
    CIFAR-10. Its own comparison: the side "hard" helps only on easy data such as MNIST and harms CIFAR-10. There every
    batch is drawn independently with replacement, here plans are; in runs of less than thirty passes the warmup ends
    halfway.

    Args:
        side: "near", "hard" or "easy".
        pressure: Largest ratio of two probabilities, at least 1.
        warmup: Passes of uniform draws first, as in the paper, but at most half of the budget.
        classes: Number of classes, as for `Boundary`.

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> ada_boundary(pressure=2.0)
        boundary(side='near', classes=None) | pressure(start=2.0, end=2.0, warmup=15.0, most=0.5) | proportional(...)
    """
    return Boundary(side, classes) | Pressure(pressure, pressure, warmup, MOST_WARMUP) | Proportional()


AdaBoundary = ada_boundary
