"""Ctrl-C that waits until the compiled call under way has returned."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class DelayedKeyboardInterrupt:
    """Context manager in which the first Ctrl-C is recorded instead of raised; a second one is raised as usual.

    Outside the main thread, where Python delivers no signals, it does nothing.

    Example:
        >>> with DelayedKeyboardInterrupt() as interrupt:
        ...     pass
        >>> interrupt.received
        False
    """

    def __init__(self) -> None:
        self.received = False
        self._outer: Any = None

    def __enter__(self) -> DelayedKeyboardInterrupt:
        if threading.current_thread() is threading.main_thread():
            self._outer = signal.getsignal(signal.SIGINT)
            if callable(self._outer):
                signal.signal(signal.SIGINT, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if callable(self._outer):
            signal.signal(signal.SIGINT, self._outer)

    def _receive(self, number: int, frame: Any) -> None:
        self.received = True
        signal.signal(signal.SIGINT, self._outer)
