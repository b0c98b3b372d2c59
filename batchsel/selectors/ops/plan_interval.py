"""The number of steps between plans that follow the losses."""

from __future__ import annotations

import math

SORTED_PLAN_INTERVAL = 0.125
"""Share of a pass between plans that sort all samples; sorting takes ten times as long as drawing."""
_LARGE = 2_000_000
_SHORTEST = 32
"""Steps of a plan at least, so that planning is cheap where steps are tiny."""


def interval_in_steps(every: float | None, n: int, batch_size: int) -> int:
    """Return the steps from plan to plan.

    Args:
        every: Steps, or a share of a pass if below 1. None for a twentieth of a pass, or a quarter from two million
            samples on, where planning takes long.
        n: Samples in the data set.
        batch_size: b.

    Returns:
        The steps; a share of a pass has at least 32 steps, but is at most half a pass.

    Example:
        >>> [interval_in_steps(every, 60_000, 64) for every in (None, 0.125, 5)], interval_in_steps(None, 100, 50)
        ([47, 118, 5], 1)
    """
    if isinstance(every, int):
        return every
    share = every or (0.05 if n < _LARGE else 0.25)
    # A little less, so that rounding cannot step over a whole number.
    steps = math.ceil(share * n / batch_size - 1e-6)
    return max(1, min(max(_SHORTEST, steps), n // (2 * batch_size)))
