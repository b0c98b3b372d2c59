"""How often plans that follow the losses are made."""

from __future__ import annotations

import math
from typing import Any

from batchsel.errors import UsageError

_LARGE = 2_000_000
_FEWEST = 32
"""Steps of a plan at least, so that planning is cheap where steps are tiny."""
SORTING = 0.125
"""Part of a pass between plans that sort all samples, which takes ten times as long as drawing from them."""


def check_every(part: Any) -> None:
    """Checks the parameter `every` of a draw.

    Args:
        part: The draw.

    Raises:
        UsageError: If it is neither None, nor a positive whole number, nor between 0 and 1.

    Example:
        >>> import batchsel
        >>> batchsel.selectors.Proportional(every=1.5)
        Traceback (most recent call last):
        batchsel.errors.UsageError: proportional: every must be a positive whole number of steps, a part of ...
    """
    every = part.every
    steps = isinstance(every, int) and not isinstance(every, bool) and every > 0
    if not (every is None or steps or (isinstance(every, float) and 0 < every < 1)):
        raise UsageError(
            f"{part.name}: every must be a positive whole number of steps, a part of a pass between 0 and 1, or None,"
            f" got {every!r}."
        )


def steps_between_plans(every: float | None, n: int, batch_size: int) -> int:
    """The steps of a plan that follows the losses.

    Args:
        every: Steps, or a part of a pass if it lies below 1; None for a twentieth of a pass, from two million samples
            on, where plans take long, a quarter.
        n: Samples in the data set.
        batch_size: b.

    Returns:
        The steps; those of a part of a pass are at least 32 and at most half a pass.

    Example:
        >>> [steps_between_plans(every, 60_000, 64) for every in (None, 0.125, 5)], steps_between_plans(None, 100, 50)
        ([47, 118, 5], 1)
    """
    if isinstance(every, int):
        return every
    part = every or (0.05 if n < _LARGE else 0.25)
    # A little less, so that rounding cannot step over a whole number.
    steps = math.ceil(part * n / batch_size - 1e-6)
    return max(1, min(max(_FEWEST, steps), n // (2 * batch_size)))
