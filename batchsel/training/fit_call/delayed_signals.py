"""Signals that end a run, which wait until the compiled call under way has returned and a checkpoint is written."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
"""Ctrl-C; those of SLURM, Kubernetes and terminals; and those by which clusters announce the end of a job."""


class DelayedSignals:
    """Context manager in which signals are recorded instead of handled, until `handle_received` is called.

    Only signals with a handler in Python are delayed; what ends the process at once, or is ignored, stays so. A second
    Ctrl-C is handled at once. Outside the main thread, where Python delivers no signals, it does nothing.

    Example:
        >>> with DelayedSignals() as signals:
        ...     pass
        >>> signals.received is None
        True
    """

    def __init__(self) -> None:
        self.received: int | None = None
        """The first signal that has not been handled yet."""
        self._outer: dict[int, Any] = {}

    def __enter__(self) -> DelayedSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._outer[number] = handler
                    signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._outer.items():
            signal.signal(number, handler)

    def handle_received(self) -> None:
        """Call the handler of the signal that was received; Ctrl-C always raises.

        Raises:
            KeyboardInterrupt: After Ctrl-C. Other handlers raise as they do.
        """
        number, self.received = self.received, None
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number is not None:
            self._outer[number](number, None)

    def _receive(self, number: int, frame: Any) -> None:
        self.received = self.received or number
        if number == signal.SIGINT:
            signal.signal(number, self._outer[number])
