"""Stalls: gaps in which the whole process stood still, as after SIGSTOP or while its virtual machine was paused."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import NamedTuple

try:
    import resource
except ImportError:  # Windows
    resource = None

BEAT = 0.1
"""Seconds between two looks at the clock."""
SHORTEST = 1.0
"""Seconds of the shortest stall."""
_BUSY = 0.5
"""CPU seconds in a second of the gap from which on the process was running, in code that lets no other thread run."""
_READS = 10
"""Pages read from the disk in a second of the gap from which on the process was waiting for its data."""


class _Sample(NamedTuple):
    """Wall-clock seconds, CPU seconds of the process, and pages that it has read from the disk."""

    clock: float
    cpu: float
    reads: int


class StallMonitor:
    """Context manager whose thread looks at the clock ten times a second, and finds gaps in which nothing ran.

    Neither long calls nor a busy machine make a gap: the thread hardly needs a processor, so it gets one in time while
    the training waits. Code that keeps other threads from running (it holds the GIL) uses the processor or reads data,
    which a stopped process does not. Not found: gaps below a second; those of a process that used more CPU time just
    before than half of the gap, as on many cores; and suspended machines, whose clock stands still as well.

    Example:
        >>> with StallMonitor() as monitor:
        ...     start = time.perf_counter()
        ...     monitor.stalls(start, time.perf_counter())
        []
    """

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._last = _sample()
        self._gaps: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._watch, name="batchsel-stalls", daemon=True)

    def __enter__(self) -> StallMonitor:
        self._last = _sample()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def stalls(self, start: float, end: float) -> list[float]:
        """Return the seconds of each stall within an interval.

        Args:
            start: Start of the interval, by `time.perf_counter`.
            end: Its end, not in the future.
        """
        self._look()  # the thread may not have run since
        with self._lock:
            gaps = list(self._gaps)
        lengths = [min(end, gap_end) - max(start, gap_start) for gap_start, gap_end in gaps]
        return [length for length in lengths if length >= SHORTEST]

    def _watch(self) -> None:
        while not self._ended.wait(BEAT):
            self._look()

    def _look(self) -> None:
        with self._lock:
            before, now = self._last, _sample()
            self._last = now
            gap = now.clock - before.clock - BEAT
            if gap >= SHORTEST and now.cpu - before.cpu < _BUSY * gap and now.reads - before.reads < _READS * gap:
                self._gaps.append((before.clock + BEAT, now.clock))


def _sample() -> _Sample:
    clock = time.perf_counter()
    if resource is None:
        return _Sample(clock, time.process_time(), 0)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return _Sample(clock, usage.ru_utime + usage.ru_stime, usage.ru_majflt)
