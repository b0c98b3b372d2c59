"""The clock of a run: seconds of planning, scoring and training, and separately of everything else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

TRAINING = "training"
"""The section that is on the clock."""
SECTIONS: tuple[str, ...] = (TRAINING, "tracing", "evaluation", "checkpoint", "callbacks", "data")


class Clock:
    """Wall-clock seconds by section; only the section "training" counts for time to target.

    Example:
        >>> clock = Clock()
        >>> with clock.section("training"):
        ...     pass
        >>> clock.seconds["training"] >= 0
        True
    """

    def __init__(self) -> None:
        self.nanoseconds = dict.fromkeys(SECTIONS, 0)

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Count the time until the block ends.

        The block must end with a result on the host (as `.numpy()` returns it), or work that is still
        running on the device is not counted.

        Args:
            name: One of `SECTIONS`.
        """
        start = time.perf_counter_ns()
        try:
            yield
        finally:
            self.nanoseconds[name] += time.perf_counter_ns() - start

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by section."""
        return {name: value * 1e-9 for name, value in self.nanoseconds.items()}

    @property
    def training(self) -> float:
        """Seconds on the clock."""
        return self.nanoseconds[TRAINING] * 1e-9

    def reset(self) -> None:
        """Reset all sections to zero."""
        self.nanoseconds = dict.fromkeys(SECTIONS, 0)
