"""The clock of a run: seconds of planning, scoring and training, and separately of everything else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from batchsel.training.runtime.stalls import SHORTEST, StallMonitor

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
        self.stalls: list[float] = []
        """Seconds of each time that the process stood still in the section "training"; they are part of its seconds."""
        self._monitor: StallMonitor | None = None

    @contextmanager
    def watch_stalls(self) -> Iterator[None]:
        """Watch for stalls until the block ends."""
        with StallMonitor() as self._monitor:
            try:
                yield
            finally:
                self._monitor = None

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
            end = time.perf_counter_ns()
            self.nanoseconds[name] += end - start
            if name == TRAINING and end - start >= SHORTEST * 1e9 and self._monitor is not None:
                self.stalls += self._monitor.stalls(start * 1e-9, end * 1e-9)

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
        self.stalls = []
